BEGIN TRANSACTION;
CREATE TABLE alarms (
	id VARCHAR(36) NOT NULL, 
	rule_id VARCHAR(36) NOT NULL, 
	rule_number INTEGER NOT NULL, 
	subject_kind VARCHAR(20) NOT NULL, 
	subject_id VARCHAR(36) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	episode INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	severity VARCHAR(20) NOT NULL, 
	metric VARCHAR(60) NOT NULL, 
	raised_at DATETIME NOT NULL, 
	first_value FLOAT NOT NULL, 
	last_at DATETIME NOT NULL, 
	last_value FLOAT NOT NULL, 
	readings INTEGER NOT NULL, 
	cleared_at DATETIME, 
	end_reason VARCHAR(60), 
	acknowledged_by VARCHAR(36), 
	acted_at DATETIME, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_alarms PRIMARY KEY (id), 
	CONSTRAINT ck_alarms_state CHECK (state IN ('raised', 'acknowledged', 'cleared', 'withdrawn')), 
	CONSTRAINT ck_alarms_subject_kind CHECK (subject_kind IN ('component', 'device')), 
	CONSTRAINT fk_alarms_acknowledged_by FOREIGN KEY(acknowledged_by) REFERENCES users (id), 
	CONSTRAINT fk_alarms_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_alarms_rule_id FOREIGN KEY(rule_id) REFERENCES rules (id), 
	CONSTRAINT uq_alarms_rule_id_subject_id_episode UNIQUE (rule_id, subject_id, episode)
);
INSERT INTO "alarms" VALUES('01a202a2-f001-71a1-81fb-b8c78dac9c6a','01a202a2-efa8-763a-a830-1a019cb84e81',1,'component','01a202a2-ef95-749f-8133-61b19e3fa790','01a202a2-ef90-7927-9585-0293dc8dbab7',1,'raised','major','soh_pct','2026-03-02 02:00:00.000000',74.9,'2026-03-02 02:00:00.000000',74.1,3,NULL,NULL,NULL,'2026-03-02 02:00:00.000000',2,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE assets (
	id VARCHAR(36) NOT NULL, 
	serial VARCHAR(60) NOT NULL, 
	model VARCHAR(100) NOT NULL, 
	customer_id VARCHAR(36) NOT NULL, 
	site_id VARCHAR(36) NOT NULL, 
	warranty_until DATE, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_assets PRIMARY KEY (id), 
	CONSTRAINT fk_assets_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id), 
	CONSTRAINT fk_assets_site_id FOREIGN KEY(site_id) REFERENCES sites (id), 
	CONSTRAINT uq_assets_serial UNIQUE (serial)
);
INSERT INTO "assets" VALUES('01a202a2-ef90-7927-9585-0293dc8dbab7','VIN-0001','Model 60','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-ef58-7cc3-96ef-42817af6d3c0',NULL,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE attachments (
	id VARCHAR(36) NOT NULL, 
	subject_kind VARCHAR(20) NOT NULL, 
	subject_id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	installation_id VARCHAR(36) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	mime VARCHAR(60) NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	stored_sha256 VARCHAR(64), 
	keep_location BOOLEAN NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	code VARCHAR(60), 
	made_ms BIGINT NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_attachments PRIMARY KEY (id), 
	CONSTRAINT ck_attachments_stored CHECK (state <> 'stored' OR stored_sha256 IS NOT NULL), 
	CONSTRAINT ck_attachments_state CHECK (state IN ('waiting', 'stored', 'refused')), 
	CONSTRAINT ck_attachments_subject_kind CHECK (subject_kind IN ('customer', 'site', 'asset', 'work_order')), 
	CONSTRAINT fk_attachments_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "attachments" VALUES('attachment-kept-1','customer','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-ef42-7e73-a143-aa2c11c8da76','kept-phone-1','a.jpg','image/jpeg',3,'0000000000000000000000000000000000000000000000000000000000000000',NULL,0,'waiting',NULL,0,1,5,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE bookings (
	id VARCHAR(36) NOT NULL, 
	station_id VARCHAR(36) NOT NULL, 
	bay INTEGER NOT NULL, 
	starts_at DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	work_order_id VARCHAR(36) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_bookings PRIMARY KEY (id), 
	CONSTRAINT ck_bookings_state CHECK (state IN ('held', 'cancelled')), 
	CONSTRAINT fk_bookings_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT fk_bookings_work_order_id FOREIGN KEY(work_order_id) REFERENCES work_orders (id)
);
CREATE TABLE change_counter (
	id INTEGER NOT NULL, 
	n BIGINT NOT NULL, epoch INTEGER DEFAULT '1' NOT NULL, 
	CONSTRAINT pk_change_counter PRIMARY KEY (id)
);
INSERT INTO "change_counter" VALUES(1,5,1);
CREATE TABLE change_times (
	at DATETIME NOT NULL, 
	n BIGINT NOT NULL, 
	CONSTRAINT pk_change_times PRIMARY KEY (at)
);
CREATE TABLE channel_preferences (
	user_id VARCHAR(36) NOT NULL, 
	channel VARCHAR(20) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	CONSTRAINT pk_channel_preferences PRIMARY KEY (user_id, channel), 
	CONSTRAINT fk_channel_preferences_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE components (
	id VARCHAR(36) NOT NULL, 
	serial VARCHAR(60) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	part_no VARCHAR(60) NOT NULL, 
	warranty_until DATE, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_components PRIMARY KEY (id), 
	CONSTRAINT uq_components_serial UNIQUE (serial)
);
INSERT INTO "components" VALUES('01a202a2-ef95-749f-8133-61b19e3fa790','PACK-0001','battery_pack','PACK-60',NULL,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE coupons (
	id VARCHAR(36) NOT NULL, 
	offer_id VARCHAR(36) NOT NULL, 
	code_hash VARCHAR(64) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	redeemed_at DATETIME, 
	redeemed_by VARCHAR(36), 
	station_id VARCHAR(36), 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_coupons PRIMARY KEY (id), 
	CONSTRAINT ck_coupons_state CHECK (state IN ('open', 'redeemed', 'void')), 
	CONSTRAINT fk_coupons_offer_id FOREIGN KEY(offer_id) REFERENCES service_offers (id), 
	CONSTRAINT fk_coupons_redeemed_by FOREIGN KEY(redeemed_by) REFERENCES users (id), 
	CONSTRAINT fk_coupons_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT uq_coupons_code_hash UNIQUE (code_hash), 
	CONSTRAINT uq_coupons_offer_id UNIQUE (offer_id)
);
INSERT INTO "coupons" VALUES('01a202a2-f06b-7d1c-9954-25c7ccac0d3b','01a202a2-f069-768c-9d87-5b026a76e3e6','7fe0b303dac57537d79b3937e323a01f72e6dccc2ad2a4fdcdc84bd2ef2400c0','open',NULL,NULL,NULL,2,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE customers (
	id VARCHAR(36) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	phone VARCHAR(20), 
	email VARCHAR(200), 
	territory_id VARCHAR(36) NOT NULL, 
	owner_id VARCHAR(36), 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_customers PRIMARY KEY (id), 
	CONSTRAINT fk_customers_owner_id FOREIGN KEY(owner_id) REFERENCES users (id), 
	CONSTRAINT fk_customers_territory_id FOREIGN KEY(territory_id) REFERENCES territories (id), 
	CONSTRAINT uq_customers_code UNIQUE (code)
);
INSERT INTO "customers" VALUES('01a202a2-ef4a-762a-9f19-c6f8f87d7502','C-1','By the manager',NULL,NULL,'01a202a2-ef38-7999-8392-573eb65f90c2','01a202a2-ef42-7e73-a143-aa2c11c8da76',3,4,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "customers" VALUES('customer-from-phone','C-2026-000001','From a phone',NULL,NULL,'01a202a2-ef38-7999-8392-573eb65f90c2','01a202a2-ef42-7e73-a143-aa2c11c8da76',1,3,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE dead_letters (
	id VARCHAR(36) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	topic VARCHAR(300) NOT NULL, 
	payload BLOB NOT NULL, 
	size INTEGER NOT NULL, 
	whole BOOLEAN NOT NULL, 
	reason VARCHAR(60) NOT NULL, 
	detail VARCHAR(300) NOT NULL, 
	received_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	times INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	CONSTRAINT pk_dead_letters PRIMARY KEY (id), 
	CONSTRAINT ck_dead_letters_state CHECK (state IN ('open', 'replayed', 'dismissed')), 
	CONSTRAINT uq_dead_letters_fingerprint UNIQUE (fingerprint)
);
INSERT INTO "dead_letters" VALUES('01a202a2-f08d-7f98-a388-e0adf6af2069','8e68e080ee1bab394f482d9ab9c34a655bd59e61512e313bafda4ba9b752cc5c','devices/0/device-0001/telemetry',X'6E6F74206A736F6E',8,1,'not_json','JSON is malformed: invalid character (byte 4)','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',1,'open');
CREATE TABLE deleted_ids (
	user_id VARCHAR(36) NOT NULL, 
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_deleted_ids PRIMARY KEY (user_id, collection, row_id), 
	CONSTRAINT fk_deleted_ids_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "deleted_ids" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','customers','customer-not-here','2026-03-02 02:00:00.000000');
CREATE TABLE detector_states (
	rule_id VARCHAR(36) NOT NULL, 
	component_id VARCHAR(36) NOT NULL, 
	rule_number INTEGER NOT NULL, 
	fittings VARCHAR(64) NOT NULL, 
	state TEXT NOT NULL, 
	due_ms BIGINT, 
	CONSTRAINT pk_detector_states PRIMARY KEY (rule_id, component_id), 
	CONSTRAINT fk_detector_states_component_id FOREIGN KEY(component_id) REFERENCES components (id), 
	CONSTRAINT fk_detector_states_rule_id FOREIGN KEY(rule_id) REFERENCES rules (id)
);
INSERT INTO "detector_states" VALUES('01a202a2-efa8-763a-a830-1a019cb84e81','01a202a2-ef95-749f-8133-61b19e3fa790',1,'263049e8e9e879c53ffd68a0023281d57997aefa1c58ae1d78fe78855d17b294','{"last":[1772416800000,"b1:3",74.1,"device-0001"],"run":[],"run_count":0,"open":{"raised_at_ms":1772416800000,"causes":[[1772244000000,"b1:1",74.9,"device-0001"],[1772330400000,"b1:2",74.5,"device-0001"],[1772416800000,"b1:3",74.1,"device-0001"]],"last":[1772416800000,"b1:3",74.1,"device-0001"],"count":3,"cleared_at_ms":null,"clear_reason":null,"clear_causes":[]},"assumed_ms":0}',NULL);
CREATE TABLE device_commands (
	id VARCHAR(36) NOT NULL, 
	device_id VARCHAR(36) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	body JSON NOT NULL, 
	expires_at DATETIME NOT NULL, 
	answer JSON, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_device_commands PRIMARY KEY (id), 
	CONSTRAINT ck_device_commands_state CHECK (state IN ('queued', 'sent', 'answered', 'timed_out')), 
	CONSTRAINT fk_device_commands_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
);
CREATE TABLE device_latest (
	device_id VARCHAR(36) NOT NULL, 
	metric VARCHAR(60) NOT NULL, 
	at_ms BIGINT NOT NULL, 
	message_key VARCHAR(80) NOT NULL, 
	value FLOAT NOT NULL, 
	received_ms BIGINT NOT NULL, 
	CONSTRAINT pk_device_latest PRIMARY KEY (device_id, metric)
);
INSERT INTO "device_latest" VALUES('device-0001','soh_pct',1772416800000,'b1:3',74.1,1772416800000);
CREATE TABLE device_presence (
	device_id VARCHAR(36) NOT NULL, 
	heard_ms BIGINT NOT NULL, 
	CONSTRAINT pk_device_presence PRIMARY KEY (device_id), 
	CONSTRAINT fk_device_presence_device_id FOREIGN KEY(device_id) REFERENCES devices (id)
);
INSERT INTO "device_presence" VALUES('device-0001',1772416800000);
CREATE TABLE device_profiles (
	id VARCHAR(36) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	adapter VARCHAR(20) NOT NULL, 
	soh_reference VARCHAR(20) NOT NULL, 
	sends_only_changes BOOLEAN NOT NULL, 
	metrics JSON NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_device_profiles PRIMARY KEY (id), 
	CONSTRAINT ck_device_profiles_adapter CHECK (adapter IN ('native', 'ovms')), 
	CONSTRAINT ck_device_profiles_soh_reference CHECK (soh_reference IN ('rated', 'first_cycle')), 
	CONSTRAINT uq_device_profiles_code UNIQUE (code)
);
INSERT INTO "device_profiles" VALUES('01a202a2-ef7c-7f68-9a63-05c41f8aa0ad','native','Native','native','rated',0,'{"soh_pct": {"unit": "%", "component": "battery_pack"}}',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE devices (
	id VARCHAR(36) NOT NULL, 
	adapter VARCHAR(20) NOT NULL, 
	address VARCHAR(120) NOT NULL, 
	profile_id VARCHAR(36) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	installed_at DATETIME NOT NULL, 
	shard INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	secret_hash VARCHAR(200) NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_devices PRIMARY KEY (id), 
	CONSTRAINT ck_devices_state CHECK (state IN ('active', 'revoked')), 
	CONSTRAINT ck_devices_shard CHECK (shard BETWEEN 0 AND 255), 
	CONSTRAINT fk_devices_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_devices_profile_id FOREIGN KEY(profile_id) REFERENCES device_profiles (id), 
	CONSTRAINT uq_devices_adapter_address UNIQUE (adapter, address)
);
INSERT INTO "devices" VALUES('device-0001','native','device-0001','01a202a2-ef7c-7f68-9a63-05c41f8aa0ad','01a202a2-ef90-7927-9585-0293dc8dbab7','2025-01-26 02:00:00.000000',0,'active','$7$101$6anuncPwCRnPzg6q$8/o3Fb27iPDiCwGcNzzZtoJ+lGBGrm/HPlfEXva8rrOdxluKI0t9Oj0D4SFOg7klkjC6S27ByM0jrwJSRE07jA==',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE early_rows (
	user_id VARCHAR(36) NOT NULL, 
	installation_id VARCHAR(36) NOT NULL, 
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	parent_collection VARCHAR(40) NOT NULL, 
	parent_id VARCHAR(36) NOT NULL, 
	sent JSON NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_early_rows PRIMARY KEY (user_id, installation_id, collection, row_id), 
	CONSTRAINT fk_early_rows_user_id_users FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE failed_tries (
	subject VARCHAR(64) NOT NULL, 
	failures INTEGER NOT NULL, 
	last_at DATETIME NOT NULL, 
	locked_until DATETIME, 
	CONSTRAINT pk_failed_tries PRIMARY KEY (subject)
);
CREATE TABLE fault_codes (
	id VARCHAR(36) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	device_id VARCHAR(36) NOT NULL, 
	message_key VARCHAR(80) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	severity VARCHAR(20) NOT NULL, 
	description VARCHAR(300) NOT NULL, 
	occurred_at DATETIME NOT NULL, 
	received_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_fault_codes PRIMARY KEY (id), 
	CONSTRAINT fk_fault_codes_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_fault_codes_device_id FOREIGN KEY(device_id) REFERENCES devices (id), 
	CONSTRAINT uq_fault_codes_device_id_message_key_code UNIQUE (device_id, message_key, code)
);
CREATE TABLE field_marks (
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	field VARCHAR(40) NOT NULL, 
	change_no BIGINT, 
	installation_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_field_marks PRIMARY KEY (collection, row_id, field)
);
INSERT INTO "field_marks" VALUES('customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502','name',4,'9c6f00681386598c69699b2a836c43f2');
CREATE TABLE fittings (
	id VARCHAR(36) NOT NULL, 
	component_id VARCHAR(36) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	fitted_at DATETIME NOT NULL, 
	removed_at DATETIME, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_fittings PRIMARY KEY (id), 
	CONSTRAINT ck_fittings_order CHECK (removed_at IS NULL OR removed_at > fitted_at), 
	CONSTRAINT fk_fittings_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_fittings_component_id FOREIGN KEY(component_id) REFERENCES components (id)
);
INSERT INTO "fittings" VALUES('01a202a2-ef9d-7041-8c1b-d5351a224dcf','01a202a2-ef95-749f-8133-61b19e3fa790','01a202a2-ef90-7927-9585-0293dc8dbab7','2025-01-26 02:00:00.000000',NULL,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE forgotten_removals (
	collection VARCHAR(40) NOT NULL, 
	upto BIGINT NOT NULL, 
	CONSTRAINT pk_forgotten_removals PRIMARY KEY (collection)
);
CREATE TABLE history (
	id VARCHAR(36) NOT NULL, 
	kind VARCHAR(60) NOT NULL, 
	subject_kind VARCHAR(30) NOT NULL, 
	subject_id VARCHAR(36) NOT NULL, 
	actor_id VARCHAR(36), 
	occurred_at DATETIME NOT NULL, 
	recorded_at DATETIME NOT NULL, 
	facts JSON NOT NULL, 
	CONSTRAINT pk_history PRIMARY KEY (id)
);
INSERT INTO "history" VALUES('01a202a2-ef3a-70f8-8e34-aecb30939d5a','territory.created','territory','01a202a2-ef38-7999-8392-573eb65f90c2','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef4b-7bfe-b2e6-e023cd6a165f','customer.created','customer','01a202a2-ef4a-762a-9f19-c6f8f87d7502','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef59-7c40-abba-83de752e69d4','site.created','site','01a202a2-ef58-7cc3-96ef-42817af6d3c0','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef6a-7f8f-abba-1c97bfd4a167','station.created','station','01a202a2-ef65-79f9-9ba9-e558bef96298','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef6f-7d10-9f72-12886ead7229','stock.counted','station','01a202a2-ef65-79f9-9ba9-e558bef96298','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"part_no": "PACK-60", "on_hand": 1}');
INSERT INTO "history" VALUES('01a202a2-ef73-750d-9320-6b44c7a81289','station.created','station','01a202a2-ef71-79bc-afec-fc5316e04547','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef75-7b4b-bd64-4a3cc33ce298','stock.counted','station','01a202a2-ef71-79bc-afec-fc5316e04547','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"part_no": "PACK-60", "on_hand": 1}');
INSERT INTO "history" VALUES('01a202a2-ef7d-7cef-83b4-1f4329e96be4','device_profile.created','device_profile','01a202a2-ef7c-7f68-9a63-05c41f8aa0ad','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef91-7e13-9bea-0c88afdab860','asset.created','asset','01a202a2-ef90-7927-9585-0293dc8dbab7','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef95-7d34-82af-3c9044df9dfd','component.created','component','01a202a2-ef95-749f-8133-61b19e3fa790','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-ef9d-7af4-b27e-c22f12aa5431','component.fitted','component','01a202a2-ef95-749f-8133-61b19e3fa790','system-user','2025-01-26 02:00:00.000000','2026-03-02 02:00:00.000000','{"asset_id": "01a202a2-ef90-7927-9585-0293dc8dbab7", "serial": "PACK-0001"}');
INSERT INTO "history" VALUES('01a202a2-efa3-7a27-b141-e007e8e26e5e','device.registered','device','device-0001','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"asset_id": "01a202a2-ef90-7927-9585-0293dc8dbab7"}');
INSERT INTO "history" VALUES('01a202a2-efa8-7ff5-81dd-b1da4e353e94','rule.created','rule','01a202a2-efa8-763a-a830-1a019cb84e81',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"code": "battery-health", "number": 1}');
INSERT INTO "history" VALUES('01a202a2-efab-7b0f-8f06-9828b7c9cec3','rule.created','rule','01a202a2-efab-76a0-8d75-b2466916d2d6',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"code": "device-silent", "number": 1}');
INSERT INTO "history" VALUES('01a202a2-f004-7433-a750-87e963c59fa5','reading.observed','reading','5ec2668ec111e4d791fa9cd94648f1b9',NULL,'2026-02-28 02:00:00.000000','2026-03-02 02:00:00.000000','{"component_id": "01a202a2-ef95-749f-8133-61b19e3fa790", "metric": "soh_pct", "device_id": "device-0001", "at": "2026-02-28T02:00:00+00:00", "value": 74.9, "key": "b1:1"}');
INSERT INTO "history" VALUES('01a202a2-f007-7f36-b3cb-f738f479b131','reading.observed','reading','b87324504e8e59e95d72624fe63218a0',NULL,'2026-03-01 02:00:00.000000','2026-03-02 02:00:00.000000','{"component_id": "01a202a2-ef95-749f-8133-61b19e3fa790", "metric": "soh_pct", "device_id": "device-0001", "at": "2026-03-01T02:00:00+00:00", "value": 74.5, "key": "b1:2"}');
INSERT INTO "history" VALUES('01a202a2-f00b-73a1-9a17-26a252cf6b27','reading.observed','reading','044fa05a818c9e76fb3965d665e7916e',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"component_id": "01a202a2-ef95-749f-8133-61b19e3fa790", "metric": "soh_pct", "device_id": "device-0001", "at": "2026-03-02T02:00:00+00:00", "value": 74.1, "key": "b1:3"}');
INSERT INTO "history" VALUES('01a202a2-f00c-7b41-b811-ede5b2a892f6','alarm.raised','alarm','01a202a2-f001-71a1-81fb-b8c78dac9c6a',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"rule": "battery-health", "rule_number": 1, "metric": "soh_pct", "episode": 1, "condition": {"below": 75.0, "readings": 3, "span_h": 24.0}, "readings": [{"device_id": "device-0001", "at": "2026-02-28T02:00:00+00:00", "value": 74.9, "key": "b1:1"}, {"device_id": "device-0001", "at": "2026-03-01T02:00:00+00:00", "value": 74.5, "key": "b1:2"}, {"device_id": "device-0001", "at": "2026-03-02T02:00:00+00:00", "value": 74.1, "key": "b1:3"}], "count": 3}');
INSERT INTO "history" VALUES('01a202a2-f029-77b3-87d0-66a6e97825c8','notification.queued','notification','01a202a2-f028-7b92-8e0a-e5ac26f2a717',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"message": "battery_alarm", "recipient_id": "01a202a2-ef42-7e73-a143-aa2c11c8da76"}');
INSERT INTO "history" VALUES('01a202a2-f043-712a-8a2b-3c522adc0db7','work_order.opened','work_order','01a202a2-f042-79a3-92e9-4e6e29168779',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"number": "WO-2026-000001", "job": "battery_replacement"}');
INSERT INTO "history" VALUES('01a202a2-f052-7978-9a29-574058ee331d','work_order.stations_ranked','work_order','01a202a2-f042-79a3-92e9-4e6e29168779',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"ranking": [{"station_id": "01a202a2-ef65-79f9-9ba9-e558bef96298", "station": "Station S0", "lacks": [], "open_now": true, "load": 0.0, "distance_m": 1107}, {"station_id": "01a202a2-ef71-79bc-afec-fc5316e04547", "station": "Station S1", "lacks": [], "open_now": true, "load": 0.0, "distance_m": 2215}]}');
INSERT INTO "history" VALUES('01a202a2-f05e-7311-8775-1bfd5da0c893','station_task.offered','station_task','01a202a2-f058-79d5-a750-93309fcc3ab9',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"station_id": "01a202a2-ef65-79f9-9ba9-e558bef96298", "station": "Station S0", "part_no": "PACK-60", "answer_by": "2026-03-02T02:30:00+00:00"}');
INSERT INTO "history" VALUES('01a202a2-f064-72c4-b9fa-f6b9dcaf1e3c','notification.queued','notification','01a202a2-f060-7cb9-b28c-732ce9954c18',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"message": "task_offered", "recipient_id": "01a202a2-ef77-7b1e-933c-07e6f8d39227"}');
INSERT INTO "history" VALUES('01a202a2-f06a-735f-a4c8-36b74fd3dc72','service_offer.issued','service_offer','01a202a2-f069-768c-9d87-5b026a76e3e6',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"service": "battery_replacement", "amount_due": "4300.00", "currency": "CNY", "under_warranty": false, "valid_until": "2026-03-16T02:00:00+00:00"}');
INSERT INTO "history" VALUES('01a202a2-f06f-73ce-b92a-25b3e733c9c5','coupon.issued','coupon','01a202a2-f06b-7d1c-9954-25c7ccac0d3b',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"discount": "500.00", "currency": "CNY"}');
INSERT INTO "history" VALUES('01a202a2-f077-7110-a43c-14305790075d','notification.queued','notification','01a202a2-f076-7b5e-825c-7d7807d20c0f',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"message": "offer_made", "recipient_id": "01a202a2-ef5d-773d-911c-92c76fb5a319"}');
INSERT INTO "history" VALUES('01a202a2-f40f-7aea-97b0-3c348e5be6b6','customer.created','customer','customer-from-phone','01a202a2-ef42-7e73-a143-aa2c11c8da76','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a202a2-f432-7109-8aba-e381d5958d7f','customer.edited','customer','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-ef42-7e73-a143-aa2c11c8da76','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"fields": ["name"]}');
INSERT INTO "history" VALUES('01a202a2-f465-7acb-8f02-4db58a9a24c8','customer.edited','customer','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-ef41-72e2-8afc-1d1307e5bedd','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"fields": ["name"]}');
INSERT INTO "history" VALUES('01a202a2-f4a0-7c4e-b8a6-153424e4e22c','attachment.created','attachment','attachment-kept-1','01a202a2-ef42-7e73-a143-aa2c11c8da76','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"name": "a.jpg", "about": "customer"}');
INSERT INTO "history" VALUES('01a202a2-f4b5-7d54-b728-7a6673958d78','intent.decided','intent','intent-kept-1','01a202a2-ef42-7e73-a143-aa2c11c8da76','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"verdict": "rejected", "what": "alarm.acknowledge", "code": "not_found"}');
CREATE TABLE history_causes (
	effect_id VARCHAR(36) NOT NULL, 
	cause_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_history_causes PRIMARY KEY (effect_id, cause_id), 
	CONSTRAINT fk_history_causes_cause_id FOREIGN KEY(cause_id) REFERENCES history (id), 
	CONSTRAINT fk_history_causes_effect_id FOREIGN KEY(effect_id) REFERENCES history (id)
);
INSERT INTO "history_causes" VALUES('01a202a2-f00c-7b41-b811-ede5b2a892f6','01a202a2-f004-7433-a750-87e963c59fa5');
INSERT INTO "history_causes" VALUES('01a202a2-f00c-7b41-b811-ede5b2a892f6','01a202a2-f007-7f36-b3cb-f738f479b131');
INSERT INTO "history_causes" VALUES('01a202a2-f00c-7b41-b811-ede5b2a892f6','01a202a2-f00b-73a1-9a17-26a252cf6b27');
INSERT INTO "history_causes" VALUES('01a202a2-f029-77b3-87d0-66a6e97825c8','01a202a2-f00c-7b41-b811-ede5b2a892f6');
INSERT INTO "history_causes" VALUES('01a202a2-f043-712a-8a2b-3c522adc0db7','01a202a2-f00c-7b41-b811-ede5b2a892f6');
INSERT INTO "history_causes" VALUES('01a202a2-f052-7978-9a29-574058ee331d','01a202a2-f043-712a-8a2b-3c522adc0db7');
INSERT INTO "history_causes" VALUES('01a202a2-f05e-7311-8775-1bfd5da0c893','01a202a2-f052-7978-9a29-574058ee331d');
INSERT INTO "history_causes" VALUES('01a202a2-f064-72c4-b9fa-f6b9dcaf1e3c','01a202a2-f05e-7311-8775-1bfd5da0c893');
INSERT INTO "history_causes" VALUES('01a202a2-f06a-735f-a4c8-36b74fd3dc72','01a202a2-f00c-7b41-b811-ede5b2a892f6');
INSERT INTO "history_causes" VALUES('01a202a2-f06f-73ce-b92a-25b3e733c9c5','01a202a2-f06a-735f-a4c8-36b74fd3dc72');
INSERT INTO "history_causes" VALUES('01a202a2-f077-7110-a43c-14305790075d','01a202a2-f06a-735f-a4c8-36b74fd3dc72');
CREATE TABLE ingest_counters (
	name VARCHAR(40) NOT NULL, 
	n BIGINT NOT NULL, 
	CONSTRAINT pk_ingest_counters PRIMARY KEY (name)
);
INSERT INTO "ingest_counters" VALUES('message',5);
INSERT INTO "ingest_counters" VALUES('reading',4);
INSERT INTO "ingest_counters" VALUES('poison',1);
CREATE TABLE installations (
	id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	protocol VARCHAR(20) NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	pulled_no BIGINT, 
	pushed_at DATETIME, 
	queue_age_ms BIGINT, 
	skew_ms BIGINT, 
	app_version VARCHAR(40), 
	schema_version INTEGER, 
	last_error VARCHAR(60), 
	wipe_asked_at DATETIME, 
	wiped_at DATETIME, 
	CONSTRAINT pk_installations PRIMARY KEY (id, user_id), 
	CONSTRAINT fk_installations_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "installations" VALUES('kept-phone-1','01a202a2-ef42-7e73-a143-aa2c11c8da76','watermelon','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',2,'2026-03-02 02:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "installations" VALUES('kept-phone-2','01a202a2-ef41-72e2-8afc-1d1307e5bedd','watermelon','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',2,'2026-03-02 02:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE intents (
	id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	installation_id VARCHAR(36) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	body TEXT NOT NULL, 
	made_ms BIGINT NOT NULL, 
	verdict VARCHAR(20), 
	code VARCHAR(60), 
	facts JSON, 
	decided_at DATETIME, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_intents PRIMARY KEY (id), 
	CONSTRAINT ck_intents_verdict CHECK (verdict IN ('accepted', 'needs_review', 'rejected')), 
	CONSTRAINT fk_intents_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "intents" VALUES('intent-kept-1','01a202a2-ef42-7e73-a143-aa2c11c8da76','kept-phone-1','alarm.acknowledge','{"alarm_id": "alarm-unknown-1"}',0,'rejected','not_found','{}','2026-03-02 02:00:00.000000',2,5,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE job_runs (
	job VARCHAR(40) NOT NULL, 
	scheduled_for DATETIME NOT NULL, 
	fence BIGINT NOT NULL, 
	finished_at DATETIME, 
	outcome VARCHAR(200), 
	CONSTRAINT pk_job_runs PRIMARY KEY (job, scheduled_for)
);
CREATE TABLE leader_leases (
	name VARCHAR(40) NOT NULL, 
	holder VARCHAR(80) NOT NULL, 
	until DATETIME NOT NULL, 
	fence BIGINT NOT NULL, 
	CONSTRAINT pk_leader_leases PRIMARY KEY (name)
);
CREATE TABLE notifications (
	id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	data JSON NOT NULL, 
	subject_kind VARCHAR(30) NOT NULL, 
	subject_id VARCHAR(36) NOT NULL, 
	dedupe_key VARCHAR(160) NOT NULL, 
	delivered_at DATETIME, 
	opened_at DATETIME, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_notifications PRIMARY KEY (id), 
	CONSTRAINT fk_notifications_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_notifications_dedupe_key UNIQUE (dedupe_key)
);
INSERT INTO "notifications" VALUES('01a202a2-f028-7b92-8e0a-e5ac26f2a717','01a202a2-ef42-7e73-a143-aa2c11c8da76','battery_alarm','{"customer_name": "Lin Logistics", "asset_model": "Model 60", "asset_serial": "VIN-0001", "soh_pct": 74.1, "measured_on": "2026-03-02T02:00:00+00:00", "late": false}','alarm','01a202a2-f001-71a1-81fb-b8c78dac9c6a','alarm:01a202a2-f001-71a1-81fb-b8c78dac9c6a:raised:01a202a2-ef42-7e73-a143-aa2c11c8da76',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "notifications" VALUES('01a202a2-f060-7cb9-b28c-732ce9954c18','01a202a2-ef77-7b1e-933c-07e6f8d39227','task_offered','{"job": "battery_replacement", "asset_model": "Model 60", "part_no": "PACK-60", "answer_by": "2026-03-02T02:30:00+00:00"}','station_task','01a202a2-f058-79d5-a750-93309fcc3ab9','task:01a202a2-f058-79d5-a750-93309fcc3ab9:offered:01a202a2-ef77-7b1e-933c-07e6f8d39227',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "notifications" VALUES('01a202a2-f076-7b5e-825c-7d7807d20c0f','01a202a2-ef5d-773d-911c-92c76fb5a319','offer_made','{"asset_model": "Model 60", "asset_serial": "VIN-0001", "amount_due": "4300.00", "discount": "500.00", "currency": "CNY", "valid_until": "2026-03-16T02:00:00+00:00", "warranty": false, "soh_pct": 74.1, "measured_on": "2026-03-02T02:00:00+00:00", "late": false}','service_offer','01a202a2-f069-768c-9d87-5b026a76e3e6','offer:01a202a2-f069-768c-9d87-5b026a76e3e6:made:01a202a2-ef5d-773d-911c-92c76fb5a319',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE number_series (
	series VARCHAR(20) NOT NULL, 
	year INTEGER NOT NULL, 
	n BIGINT NOT NULL, 
	CONSTRAINT pk_number_series PRIMARY KEY (series, year)
);
INSERT INTO "number_series" VALUES('WO',2026,1);
INSERT INTO "number_series" VALUES('C',2026,1);
CREATE TABLE one_time_links (
	id VARCHAR(36) NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	secret_hash VARCHAR(64) NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_one_time_links PRIMARY KEY (id), 
	CONSTRAINT ck_one_time_links_kind CHECK (kind IN ('invitation', 'password_reset')), 
	CONSTRAINT fk_one_time_links_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_one_time_links_secret_hash UNIQUE (secret_hash)
);
CREATE TABLE outbox (
	id VARCHAR(36) NOT NULL, 
	notification_id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	channel VARCHAR(20) NOT NULL, 
	address_id VARCHAR(36), 
	dedupe_key VARCHAR(240) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	attempts INTEGER NOT NULL, 
	next_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	leased_until DATETIME, 
	queued_at DATETIME NOT NULL, 
	settled_at DATETIME, 
	last_error VARCHAR(200), 
	CONSTRAINT pk_outbox PRIMARY KEY (id), 
	CONSTRAINT ck_outbox_channel CHECK (channel IN ('fcm', 'email')), 
	CONSTRAINT ck_outbox_state CHECK (state IN ('queued', 'accepted', 'delivered', 'opened', 'failed')), 
	CONSTRAINT fk_outbox_notification_id FOREIGN KEY(notification_id) REFERENCES notifications (id), 
	CONSTRAINT fk_outbox_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_outbox_dedupe_key UNIQUE (dedupe_key)
);
CREATE TABLE part_stocks (
	id VARCHAR(36) NOT NULL, 
	station_id VARCHAR(36) NOT NULL, 
	part_no VARCHAR(60) NOT NULL, 
	on_hand INTEGER NOT NULL, 
	reserved INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_part_stocks PRIMARY KEY (id), 
	CONSTRAINT ck_part_stocks_units CHECK (on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand), 
	CONSTRAINT fk_part_stocks_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT uq_part_stocks_station_id_part_no UNIQUE (station_id, part_no)
);
INSERT INTO "part_stocks" VALUES('01a202a2-ef6e-7dfe-b07a-aea574ca6661','01a202a2-ef65-79f9-9ba9-e558bef96298','PACK-60',1,1,2,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "part_stocks" VALUES('01a202a2-ef75-76ea-ab72-58767697abc8','01a202a2-ef71-79bc-afec-fc5316e04547','PACK-60',1,0,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE partners (
	id VARCHAR(36) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_partners PRIMARY KEY (id), 
	CONSTRAINT uq_partners_name UNIQUE (name)
);
CREATE TABLE process_beats (
	name VARCHAR(40) NOT NULL, 
	at DATETIME NOT NULL, 
	facts JSON NOT NULL, 
	CONSTRAINT pk_process_beats PRIMARY KEY (name)
);
CREATE TABLE refresh_tokens (
	token_hash VARCHAR(64) NOT NULL, 
	session_id VARCHAR(36) NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, parent_hash VARCHAR(64), 
	CONSTRAINT pk_refresh_tokens PRIMARY KEY (token_hash), 
	CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY(session_id) REFERENCES sign_in_sessions (id)
);
CREATE TABLE registration_tokens (
	id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	address_kind VARCHAR(10) NOT NULL, 
	address VARCHAR(500) NOT NULL, 
	registered_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_registration_tokens PRIMARY KEY (id), 
	CONSTRAINT ck_registration_tokens_address_kind CHECK (address_kind IN ('token', 'fid')), 
	CONSTRAINT fk_registration_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_registration_tokens_address UNIQUE (address)
);
CREATE TABLE rule_versions (
	rule_id VARCHAR(36) NOT NULL, 
	number INTEGER NOT NULL, 
	document JSON NOT NULL, 
	since DATETIME NOT NULL, 
	author_id VARCHAR(36), 
	CONSTRAINT pk_rule_versions PRIMARY KEY (rule_id, number), 
	CONSTRAINT fk_rule_versions_author_id FOREIGN KEY(author_id) REFERENCES users (id), 
	CONSTRAINT fk_rule_versions_rule_id FOREIGN KEY(rule_id) REFERENCES rules (id)
);
INSERT INTO "rule_versions" VALUES('01a202a2-efa8-763a-a830-1a019cb84e81',1,'{"name": {"zh-CN": "\u7535\u6c60\u5065\u5eb7\u5ea6\u8fc7\u4f4e", "en": "Battery health is low"}, "detector": "threshold", "severity": "major", "lateness_h": 720, "metric": "soh_pct", "component": "battery_pack", "raise_if": {"below": 75.0, "readings": 3, "span_h": 24}, "clear_if": {"at_least": 78.0, "readings": 3, "span_h": 24}, "service": {"kind": "battery_replacement", "price": "4800.00", "discount": "500.00", "certificates": ["high_voltage"]}}','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "rule_versions" VALUES('01a202a2-efab-76a0-8d75-b2466916d2d6',1,'{"name": {"zh-CN": "\u8bbe\u5907\u5931\u8054", "en": "Device is silent"}, "detector": "silence", "severity": "warning", "silent_after_h": 24}','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE rules (
	id VARCHAR(36) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	number INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_rules PRIMARY KEY (id), 
	CONSTRAINT uq_rules_code UNIQUE (code)
);
INSERT INTO "rules" VALUES('01a202a2-efa8-763a-a830-1a019cb84e81','battery-health',1,1,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "rules" VALUES('01a202a2-efab-76a0-8d75-b2466916d2d6','device-silent',1,1,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE scope_entries (
	scope VARCHAR(60) NOT NULL, 
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	change_no BIGINT, 
	gone BOOLEAN NOT NULL, 
	CONSTRAINT pk_scope_entries PRIMARY KEY (scope, collection, row_id)
)
 WITHOUT ROWID

;
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','alarms','01a202a2-f001-71a1-81fb-b8c78dac9c6a',2,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','assets','01a202a2-ef90-7927-9585-0293dc8dbab7',1,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','attachments','attachment-kept-1',5,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502',4,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','service_offers','01a202a2-f069-768c-9d87-5b026a76e3e6',2,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','sites','01a202a2-ef58-7cc3-96ef-42817af6d3c0',1,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','station_tasks','01a202a2-f058-79d5-a750-93309fcc3ab9',2,0);
INSERT INTO "scope_entries" VALUES('customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502','work_orders','01a202a2-f042-79a3-92e9-4e6e29168779',2,0);
INSERT INTO "scope_entries" VALUES('customer:customer-from-phone','customers','customer-from-phone',3,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','alarms','01a202a2-f001-71a1-81fb-b8c78dac9c6a',2,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','assets','01a202a2-ef90-7927-9585-0293dc8dbab7',1,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','attachments','attachment-kept-1',5,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502',4,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','customers','customer-from-phone',3,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','service_offers','01a202a2-f069-768c-9d87-5b026a76e3e6',2,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','sites','01a202a2-ef58-7cc3-96ef-42817af6d3c0',1,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','station_tasks','01a202a2-f058-79d5-a750-93309fcc3ab9',2,0);
INSERT INTO "scope_entries" VALUES('owner:01a202a2-ef42-7e73-a143-aa2c11c8da76','work_orders','01a202a2-f042-79a3-92e9-4e6e29168779',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','alarms','01a202a2-f001-71a1-81fb-b8c78dac9c6a',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','assets','01a202a2-ef90-7927-9585-0293dc8dbab7',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502',4,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','service_offers','01a202a2-f069-768c-9d87-5b026a76e3e6',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','sites','01a202a2-ef58-7cc3-96ef-42817af6d3c0',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','station_tasks','01a202a2-f058-79d5-a750-93309fcc3ab9',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','stations','01a202a2-ef65-79f9-9ba9-e558bef96298',1,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef65-79f9-9ba9-e558bef96298','work_orders','01a202a2-f042-79a3-92e9-4e6e29168779',2,0);
INSERT INTO "scope_entries" VALUES('station:01a202a2-ef71-79bc-afec-fc5316e04547','stations','01a202a2-ef71-79bc-afec-fc5316e04547',1,0);
INSERT INTO "scope_entries" VALUES('stations:all','stations','01a202a2-ef65-79f9-9ba9-e558bef96298',1,0);
INSERT INTO "scope_entries" VALUES('stations:all','stations','01a202a2-ef71-79bc-afec-fc5316e04547',1,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','alarms','01a202a2-f001-71a1-81fb-b8c78dac9c6a',2,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','assets','01a202a2-ef90-7927-9585-0293dc8dbab7',1,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','attachments','attachment-kept-1',5,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502',4,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','customers','customer-from-phone',3,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','service_offers','01a202a2-f069-768c-9d87-5b026a76e3e6',2,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','sites','01a202a2-ef58-7cc3-96ef-42817af6d3c0',1,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','station_tasks','01a202a2-f058-79d5-a750-93309fcc3ab9',2,0);
INSERT INTO "scope_entries" VALUES('territory:01a202a2-ef38-7999-8392-573eb65f90c2','work_orders','01a202a2-f042-79a3-92e9-4e6e29168779',2,0);
INSERT INTO "scope_entries" VALUES('user:01a202a2-ef42-7e73-a143-aa2c11c8da76','attachments','attachment-kept-1',5,0);
INSERT INTO "scope_entries" VALUES('user:01a202a2-ef42-7e73-a143-aa2c11c8da76','intents','intent-kept-1',5,0);
INSERT INTO "scope_entries" VALUES('user:01a202a2-ef42-7e73-a143-aa2c11c8da76','notifications','01a202a2-f028-7b92-8e0a-e5ac26f2a717',2,0);
INSERT INTO "scope_entries" VALUES('user:01a202a2-ef42-7e73-a143-aa2c11c8da76','sync_problems','01a202a2-f41b-7ca9-95cb-1cdaef99ed64',3,0);
INSERT INTO "scope_entries" VALUES('user:01a202a2-ef5d-773d-911c-92c76fb5a319','notifications','01a202a2-f076-7b5e-825c-7d7807d20c0f',2,0);
INSERT INTO "scope_entries" VALUES('user:01a202a2-ef77-7b1e-933c-07e6f8d39227','notifications','01a202a2-f060-7cb9-b28c-732ce9954c18',2,0);
CREATE TABLE scope_grants (
	user_id VARCHAR(36) NOT NULL, 
	scope VARCHAR(60) NOT NULL, 
	entered_no BIGINT NOT NULL, 
	left_no BIGINT, 
	CONSTRAINT pk_scope_grants PRIMARY KEY (user_id, scope, entered_no)
);
INSERT INTO "scope_grants" VALUES('01a202a2-ef3c-7997-b007-e0187f7bf69f','stations:all',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef3c-7997-b007-e0187f7bf69f','territory:01a202a2-ef38-7999-8392-573eb65f90c2',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef3c-7997-b007-e0187f7bf69f','user:01a202a2-ef3c-7997-b007-e0187f7bf69f',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef41-72e2-8afc-1d1307e5bedd','stations:all',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef41-72e2-8afc-1d1307e5bedd','territory:01a202a2-ef38-7999-8392-573eb65f90c2',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef41-72e2-8afc-1d1307e5bedd','user:01a202a2-ef41-72e2-8afc-1d1307e5bedd',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','owner:01a202a2-ef42-7e73-a143-aa2c11c8da76',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','stations:all',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','territory:01a202a2-ef38-7999-8392-573eb65f90c2',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','user:01a202a2-ef42-7e73-a143-aa2c11c8da76',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef5d-773d-911c-92c76fb5a319','customer:01a202a2-ef4a-762a-9f19-c6f8f87d7502',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef5d-773d-911c-92c76fb5a319','stations:all',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef5d-773d-911c-92c76fb5a319','user:01a202a2-ef5d-773d-911c-92c76fb5a319',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef77-7b1e-933c-07e6f8d39227','station:01a202a2-ef65-79f9-9ba9-e558bef96298',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef77-7b1e-933c-07e6f8d39227','user:01a202a2-ef77-7b1e-933c-07e6f8d39227',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef78-77b2-95d6-4c5da8159d73','station:01a202a2-ef71-79bc-afec-fc5316e04547',1,NULL);
INSERT INTO "scope_grants" VALUES('01a202a2-ef78-77b2-95d6-4c5da8159d73','user:01a202a2-ef78-77b2-95d6-4c5da8159d73',1,NULL);
CREATE TABLE service_offers (
	id VARCHAR(36) NOT NULL, 
	kind VARCHAR(40) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	alarm_id VARCHAR(36) NOT NULL, 
	component_id VARCHAR(36) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	customer_id VARCHAR(36) NOT NULL, 
	work_order_id VARCHAR(36) NOT NULL, 
	price VARCHAR(20) NOT NULL, 
	discount VARCHAR(20) NOT NULL, 
	amount_due VARCHAR(20) NOT NULL, 
	currency VARCHAR(3) NOT NULL, 
	under_warranty BOOLEAN NOT NULL, 
	valid_until DATETIME NOT NULL, 
	closed_at DATETIME, 
	close_reason VARCHAR(200), 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_service_offers PRIMARY KEY (id), 
	CONSTRAINT ck_service_offers_state CHECK (state IN ('issued', 'viewed', 'accepted', 'redeemed', 'declined', 'expired', 'withdrawn')), 
	CONSTRAINT fk_service_offers_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_service_offers_component_id FOREIGN KEY(component_id) REFERENCES components (id), 
	CONSTRAINT fk_service_offers_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id), 
	CONSTRAINT fk_service_offers_work_order_id FOREIGN KEY(work_order_id) REFERENCES work_orders (id), 
	CONSTRAINT uq_service_offers_alarm_id UNIQUE (alarm_id), 
	CONSTRAINT uq_service_offers_work_order_id UNIQUE (work_order_id)
);
INSERT INTO "service_offers" VALUES('01a202a2-f069-768c-9d87-5b026a76e3e6','battery_replacement','issued','01a202a2-f001-71a1-81fb-b8c78dac9c6a','01a202a2-ef95-749f-8133-61b19e3fa790','01a202a2-ef90-7927-9585-0293dc8dbab7','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-f042-79a3-92e9-4e6e29168779','4800.00','500.00','4300.00','CNY',0,'2026-03-16 02:00:00.000000',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE sign_in_sessions (
	id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	began_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	end_reason VARCHAR(30), 
	label VARCHAR(100) NOT NULL, 
	CONSTRAINT pk_sign_in_sessions PRIMARY KEY (id), 
	CONSTRAINT fk_sign_in_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "sign_in_sessions" VALUES('01a202a2-f392-791d-ad5c-a54ce1969e51','01a202a2-ef42-7e73-a143-aa2c11c8da76','2026-03-02 02:00:00.000000',NULL,NULL,'test');
INSERT INTO "sign_in_sessions" VALUES('01a202a2-f398-739e-8e04-01e3aa8bcb84','01a202a2-ef41-72e2-8afc-1d1307e5bedd','2026-03-02 02:00:00.000000',NULL,NULL,'test');
CREATE TABLE sites (
	id VARCHAR(36) NOT NULL, 
	customer_id VARCHAR(36) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	address VARCHAR(300) NOT NULL, 
	lat FLOAT NOT NULL, 
	lon FLOAT NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_sites PRIMARY KEY (id), 
	CONSTRAINT ck_sites_place CHECK (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180), 
	CONSTRAINT fk_sites_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);
INSERT INTO "sites" VALUES('01a202a2-ef58-7cc3-96ef-42817af6d3c0','01a202a2-ef4a-762a-9f19-c6f8f87d7502','Depot','',22.54,114.05,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE station_grants (
	id VARCHAR(36) NOT NULL, 
	station_id VARCHAR(36) NOT NULL, 
	customer_id VARCHAR(36) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	task_id VARCHAR(36) NOT NULL, 
	ended_at DATETIME, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_station_grants PRIMARY KEY (id), 
	CONSTRAINT fk_station_grants_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_station_grants_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id), 
	CONSTRAINT fk_station_grants_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT uq_station_grants_task_id UNIQUE (task_id)
);
INSERT INTO "station_grants" VALUES('01a202a2-f05d-7a9a-9c0c-fe1e6087a6da','01a202a2-ef65-79f9-9ba9-e558bef96298','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-ef90-7927-9585-0293dc8dbab7','01a202a2-f058-79d5-a750-93309fcc3ab9',NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE station_tasks (
	id VARCHAR(36) NOT NULL, 
	work_order_id VARCHAR(36) NOT NULL, 
	station_id VARCHAR(36) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	part_no VARCHAR(60) NOT NULL, 
	answer_by DATETIME NOT NULL, 
	reason VARCHAR(200), 
	answered_at DATETIME, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_station_tasks PRIMARY KEY (id), 
	CONSTRAINT ck_station_tasks_state CHECK (state IN ('offered', 'accepted', 'in_progress', 'finished', 'rejected', 'lapsed', 'withdrawn')), 
	CONSTRAINT fk_station_tasks_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT fk_station_tasks_work_order_id FOREIGN KEY(work_order_id) REFERENCES work_orders (id)
);
INSERT INTO "station_tasks" VALUES('01a202a2-f058-79d5-a750-93309fcc3ab9','01a202a2-f042-79a3-92e9-4e6e29168779','01a202a2-ef65-79f9-9ba9-e558bef96298','offered','PACK-60','2026-03-02 02:30:00.000000',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE station_territories (
	station_id VARCHAR(36) NOT NULL, 
	territory_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_station_territories PRIMARY KEY (station_id, territory_id), 
	CONSTRAINT fk_station_territories_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT fk_station_territories_territory_id FOREIGN KEY(territory_id) REFERENCES territories (id)
);
INSERT INTO "station_territories" VALUES('01a202a2-ef65-79f9-9ba9-e558bef96298','01a202a2-ef38-7999-8392-573eb65f90c2');
INSERT INTO "station_territories" VALUES('01a202a2-ef71-79bc-afec-fc5316e04547','01a202a2-ef38-7999-8392-573eb65f90c2');
CREATE TABLE stations (
	id VARCHAR(36) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	address VARCHAR(300) NOT NULL, 
	lat FLOAT NOT NULL, 
	lon FLOAT NOT NULL, 
	opening_hours VARCHAR(300) NOT NULL, 
	time_zone VARCHAR(60) NOT NULL, 
	bays INTEGER NOT NULL, 
	active BOOLEAN NOT NULL, 
	partner_id VARCHAR(36), 
	certificates JSON NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_stations PRIMARY KEY (id), 
	CONSTRAINT ck_stations_bays CHECK (bays BETWEEN 1 AND 50), 
	CONSTRAINT ck_stations_place CHECK (lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180), 
	CONSTRAINT fk_stations_partner_id FOREIGN KEY(partner_id) REFERENCES partners (id), 
	CONSTRAINT uq_stations_code UNIQUE (code)
);
INSERT INTO "stations" VALUES('01a202a2-ef65-79f9-9ba9-e558bef96298','S0','Station S0','',22.55,114.05,'24/7','Asia/Shanghai',2,1,NULL,'["high_voltage"]',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "stations" VALUES('01a202a2-ef71-79bc-afec-fc5316e04547','S1','Station S1','',2.25600000000000022737e+01,114.05,'24/7','Asia/Shanghai',2,1,NULL,'["high_voltage"]',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE stored_answers (
	user_id VARCHAR(36) NOT NULL, 
	route VARCHAR(200) NOT NULL, 
	"key" VARCHAR(100) NOT NULL, 
	body_hash VARCHAR(64) NOT NULL, 
	status INTEGER, 
	etag VARCHAR(40), 
	body VARCHAR, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_stored_answers PRIMARY KEY (user_id, route, "key")
);
CREATE TABLE sync_conflicts (
	id VARCHAR(36) NOT NULL, 
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	field VARCHAR(40) NOT NULL, 
	kept JSON, 
	lost JSON, 
	user_id VARCHAR(36) NOT NULL, 
	installation_id VARCHAR(36) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_sync_conflicts PRIMARY KEY (id), 
	CONSTRAINT ck_sync_conflicts_state CHECK (state IN ('open', 'restored')), 
	CONSTRAINT fk_sync_conflicts_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "sync_conflicts" VALUES('01a202a2-f471-7874-a4b0-fc3e28933150','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502','name','"By the manager"','"By the rep"','01a202a2-ef41-72e2-8afc-1d1307e5bedd','kept-phone-2','open',1,4,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE "sync_problems" (
	id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	installation_id VARCHAR(36) NOT NULL, 
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(60) NOT NULL, 
	reasons JSON NOT NULL, 
	content TEXT NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_sync_problems PRIMARY KEY (id), 
	CONSTRAINT fk_sync_problems_user_id FOREIGN KEY(user_id) REFERENCES users (id), 
	CONSTRAINT uq_sync_problems_sent UNIQUE (installation_id, collection, row_id, content_hash), 
	CONSTRAINT ck_sync_problems_state CHECK (state IN ('open', 'mended', 'replayed', 'dismissed'))
);
INSERT INTO "sync_problems" VALUES('01a202a2-f41b-7ca9-95cb-1cdaef99ed64','01a202a2-ef42-7e73-a143-aa2c11c8da76','kept-phone-1','customers','customer-in-vain','{"name": ["required"]}','{"deleted":false,"claimed":null,"code":"","email":null,"name":"","owner_id":null,"phone":null,"territory_id":"01a202a2-ef38-7999-8392-573eb65f90c2"}','5fc6146699b088bb02103c52f997a33d10afaded4b0c27c78329c625fc2a93d2','open',1,3,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE sync_receipts (
	installation_id VARCHAR(36) NOT NULL, 
	collection VARCHAR(40) NOT NULL, 
	row_id VARCHAR(36) NOT NULL, 
	digests JSON NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_sync_receipts PRIMARY KEY (installation_id, collection, row_id)
);
INSERT INTO "sync_receipts" VALUES('6e4dfb24f454e868f98b10aa0c5c7051','customers','customer-from-phone','{"email": "74234e98afe7498f", "name": "244bf3f6687a65d2", "phone": "74234e98afe7498f", "stood": "1099511627778"}','2026-03-02 02:00:00.000000');
INSERT INTO "sync_receipts" VALUES('6e4dfb24f454e868f98b10aa0c5c7051','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502','{"email": "74234e98afe7498f", "name": "2b182bbc92f419d4", "phone": "74234e98afe7498f", "stood": "1099511627778"}','2026-03-02 02:00:00.000000');
INSERT INTO "sync_receipts" VALUES('9c6f00681386598c69699b2a836c43f2','customers','01a202a2-ef4a-762a-9f19-c6f8f87d7502','{"email": "74234e98afe7498f", "name": "24c81a7b90e7bc0c", "phone": "74234e98afe7498f", "stood": "1099511627778"}','2026-03-02 02:00:00.000000');
INSERT INTO "sync_receipts" VALUES('6e4dfb24f454e868f98b10aa0c5c7051','attachments','attachment-kept-1','{"stood": "1099511627778"}','2026-03-02 02:00:00.000000');
CREATE TABLE telemetry (
	device_id VARCHAR(36) NOT NULL, 
	message_key VARCHAR(80) NOT NULL, 
	metric VARCHAR(60) NOT NULL, 
	at_ms BIGINT NOT NULL, 
	value FLOAT NOT NULL, 
	received_ms BIGINT NOT NULL, 
	ahead BOOLEAN NOT NULL, 
	CONSTRAINT pk_telemetry PRIMARY KEY (device_id, message_key, metric)
)
 WITHOUT ROWID

;
INSERT INTO "telemetry" VALUES('device-0001','b1:0','soh_pct',1772157600000,76.0,1772416800000,0);
INSERT INTO "telemetry" VALUES('device-0001','b1:1','soh_pct',1772244000000,74.9,1772416800000,0);
INSERT INTO "telemetry" VALUES('device-0001','b1:2','soh_pct',1772330400000,74.5,1772416800000,0);
INSERT INTO "telemetry" VALUES('device-0001','b1:3','soh_pct',1772416800000,74.1,1772416800000,0);
CREATE TABLE territories (
	id VARCHAR(36) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_territories PRIMARY KEY (id), 
	CONSTRAINT uq_territories_code UNIQUE (code)
);
INSERT INTO "territories" VALUES('01a202a2-ef38-7999-8392-573eb65f90c2','SZ','Shenzhen',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE user_territories (
	user_id VARCHAR(36) NOT NULL, 
	territory_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_user_territories PRIMARY KEY (user_id, territory_id), 
	CONSTRAINT fk_user_territories_territory_id FOREIGN KEY(territory_id) REFERENCES territories (id), 
	CONSTRAINT fk_user_territories_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "user_territories" VALUES('01a202a2-ef41-72e2-8afc-1d1307e5bedd','01a202a2-ef38-7999-8392-573eb65f90c2');
INSERT INTO "user_territories" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','01a202a2-ef38-7999-8392-573eb65f90c2');
CREATE TABLE "users" (
	id VARCHAR(36) NOT NULL, 
	login VARCHAR(200) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	role VARCHAR(20) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	locale VARCHAR(10) NOT NULL, 
	email VARCHAR(200), 
	phone VARCHAR(20), 
	partner_id VARCHAR(36), 
	station_id VARCHAR(36), 
	customer_id VARCHAR(36), 
	password_hash VARCHAR(200), 
	valid_from DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, login_key VARCHAR(200) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT fk_users_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT ck_users_customer_link CHECK (role <> 'customer' OR customer_id IS NOT NULL), 
	CONSTRAINT ck_users_role CHECK (role IN ('admin', 'manager', 'rep', 'station_staff', 'customer')), 
	CONSTRAINT uq_users_login UNIQUE (login), 
	CONSTRAINT fk_users_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id), 
	CONSTRAINT ck_users_state CHECK (state IN ('invited', 'active', 'deactivated')), 
	CONSTRAINT fk_users_partner_id FOREIGN KEY(partner_id) REFERENCES partners (id), 
	CONSTRAINT ck_users_staff_station CHECK (role <> 'station_staff' OR station_id IS NOT NULL)
);
INSERT INTO "users" VALUES('01a202a2-ef3c-7997-b007-e0187f7bf69f','admin@example.test','admin','admin','active','en',NULL,NULL,NULL,NULL,NULL,'$argon2id$v=19$m=8,t=1,p=1$lk0kXG7OKiLsFSEXbDkiYg$u9E2BLz+FhMgeskt3QWY3ZTF/g6zNHpI1hXk8s3zqSs','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL,'admin@example.test');
INSERT INTO "users" VALUES('01a202a2-ef41-72e2-8afc-1d1307e5bedd','manager@example.test','manager','manager','active','en',NULL,NULL,NULL,NULL,NULL,'$argon2id$v=19$m=8,t=1,p=1$DPYnw3GTgqcd5K7UxvbLTg$5KVzY7k+xZ8O/P2aLTTZjQszjqP4I3BCON9VxFLmZ7w','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL,'manager@example.test');
INSERT INTO "users" VALUES('01a202a2-ef42-7e73-a143-aa2c11c8da76','rep@example.test','rep','rep','active','zh-CN',NULL,NULL,NULL,NULL,NULL,'$argon2id$v=19$m=8,t=1,p=1$OeAKUhTmTF+66GfkrL0tjA$dJcvz6cSNCNPfBz1mGmOYbDDFH73NpKUN4znfhSj8Io','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL,'rep@example.test');
INSERT INTO "users" VALUES('01a202a2-ef5d-773d-911c-92c76fb5a319','owner@example.test','owner','customer','active','en',NULL,NULL,NULL,NULL,'01a202a2-ef4a-762a-9f19-c6f8f87d7502','$argon2id$v=19$m=8,t=1,p=1$nKUDxBFYQVNDlpSCcu77lg$twdKZ8KAjpKXpOOmBpoac/+pks6fcr8qsISVOXtV6kM','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL,'owner@example.test');
INSERT INTO "users" VALUES('01a202a2-ef77-7b1e-933c-07e6f8d39227','staff0@example.test','staff0','station_staff','active','en',NULL,NULL,NULL,'01a202a2-ef65-79f9-9ba9-e558bef96298',NULL,'$argon2id$v=19$m=8,t=1,p=1$NF7/MADGuMWnG5m/P00hvg$0NB98MaviPwYxmTN+uXZ0vzI2e/QXU0RDtVRMGB3aDM','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL,'staff0@example.test');
INSERT INTO "users" VALUES('01a202a2-ef78-77b2-95d6-4c5da8159d73','staff1@example.test','staff1','station_staff','active','en',NULL,NULL,NULL,'01a202a2-ef71-79bc-afec-fc5316e04547',NULL,'$argon2id$v=19$m=8,t=1,p=1$k/xf8KeAPIKIyTXDbPsLrA$0jYrVOjCecV/3Iyg5t02WrrC1wj4FQSLnQjb3TKzntA','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL,'staff1@example.test');
CREATE TABLE work_orders (
	id VARCHAR(36) NOT NULL, 
	number VARCHAR(20) NOT NULL, 
	job VARCHAR(40) NOT NULL, 
	asset_id VARCHAR(36) NOT NULL, 
	component_id VARCHAR(36) NOT NULL, 
	customer_id VARCHAR(36) NOT NULL, 
	site_id VARCHAR(36) NOT NULL, 
	territory_id VARCHAR(36) NOT NULL, 
	part_no VARCHAR(60) NOT NULL, 
	certificates JSON NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	slot_at DATETIME, 
	coupon_required BOOLEAN NOT NULL, 
	coupon_redeemed_at DATETIME, 
	finished_at DATETIME, 
	cancel_reason VARCHAR(60), 
	version INTEGER NOT NULL, 
	change_no BIGINT, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	deleted_at DATETIME, 
	CONSTRAINT pk_work_orders PRIMARY KEY (id), 
	CONSTRAINT ck_work_orders_state CHECK (state IN ('proposed', 'unassigned', 'scheduled', 'in_progress', 'finished', 'cancelled')), 
	CONSTRAINT fk_work_orders_asset_id FOREIGN KEY(asset_id) REFERENCES assets (id), 
	CONSTRAINT fk_work_orders_component_id FOREIGN KEY(component_id) REFERENCES components (id), 
	CONSTRAINT fk_work_orders_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id), 
	CONSTRAINT fk_work_orders_site_id FOREIGN KEY(site_id) REFERENCES sites (id), 
	CONSTRAINT fk_work_orders_territory_id FOREIGN KEY(territory_id) REFERENCES territories (id), 
	CONSTRAINT uq_work_orders_number UNIQUE (number)
);
INSERT INTO "work_orders" VALUES('01a202a2-f042-79a3-92e9-4e6e29168779','WO-2026-000001','battery_replacement','01a202a2-ef90-7927-9585-0293dc8dbab7','01a202a2-ef95-749f-8133-61b19e3fa790','01a202a2-ef4a-762a-9f19-c6f8f87d7502','01a202a2-ef58-7cc3-96ef-42817af6d3c0','01a202a2-ef38-7999-8392-573eb65f90c2','PACK-60','["high_voltage"]','proposed',NULL,1,NULL,NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE INDEX ix_components_change_no ON components (change_no);
CREATE INDEX ix_dead_letters_reason ON dead_letters (reason);
CREATE INDEX ix_device_profiles_change_no ON device_profiles (change_no);
CREATE INDEX ix_failed_tries_last_at ON failed_tries (last_at);
CREATE INDEX ix_failed_tries_locked ON failed_tries (locked_until);
CREATE INDEX ix_history_subject_kind_subject_id_id ON history (subject_kind, subject_id, id);
CREATE INDEX ix_partners_change_no ON partners (change_no);
CREATE INDEX ix_rules_change_no ON rules (change_no);
CREATE INDEX ix_stored_answers_at ON stored_answers (at);
CREATE INDEX ix_telemetry_device_metric_at ON telemetry (device_id, metric, at_ms);
CREATE INDEX ix_territories_change_no ON territories (change_no);
CREATE INDEX ix_detector_states_due_ms ON detector_states (due_ms);
CREATE INDEX ix_history_causes_cause_id ON history_causes (cause_id);
CREATE INDEX ix_stations_change_no ON stations (change_no);
CREATE INDEX ix_stations_partner_id ON stations (partner_id);
CREATE INDEX ix_customers_change_no ON customers (change_no);
CREATE INDEX ix_customers_owner_id ON customers (owner_id);
CREATE INDEX ix_customers_territory_id ON customers (territory_id);
CREATE INDEX ix_notifications_change_no ON notifications (change_no);
CREATE INDEX ix_notifications_user_id ON notifications (user_id);
CREATE INDEX ix_one_time_links_user_id ON one_time_links (user_id);
CREATE INDEX ix_part_stocks_change_no ON part_stocks (change_no);
CREATE INDEX ix_registration_tokens_user_id ON registration_tokens (user_id);
CREATE INDEX ix_sign_in_sessions_user_id ON sign_in_sessions (user_id);
CREATE INDEX ix_station_territories_territory_id ON station_territories (territory_id);
CREATE INDEX ix_user_territories_territory_id ON user_territories (territory_id);
CREATE INDEX ix_outbox_due ON outbox (next_at) WHERE state = 'queued';
CREATE INDEX ix_outbox_notification_id ON outbox (notification_id);
CREATE INDEX ix_refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX ix_refresh_tokens_session_id ON refresh_tokens (session_id);
CREATE INDEX ix_sites_change_no ON sites (change_no);
CREATE INDEX ix_sites_customer_id ON sites (customer_id);
CREATE INDEX ix_assets_change_no ON assets (change_no);
CREATE INDEX ix_assets_customer_id ON assets (customer_id);
CREATE INDEX ix_assets_site_id ON assets (site_id);
CREATE INDEX ix_alarms_asset_id ON alarms (asset_id);
CREATE INDEX ix_alarms_change_no ON alarms (change_no);
CREATE INDEX ix_alarms_subject_id_state ON alarms (subject_id, state);
CREATE UNIQUE INDEX uq_alarms_open ON alarms (rule_id, subject_id) WHERE state IN ('raised', 'acknowledged');
CREATE INDEX ix_devices_asset_id ON devices (asset_id);
CREATE INDEX ix_devices_change_no ON devices (change_no);
CREATE INDEX ix_devices_profile_id ON devices (profile_id);
CREATE INDEX ix_fittings_asset_id_fitted_at ON fittings (asset_id, fitted_at);
CREATE INDEX ix_fittings_change_no ON fittings (change_no);
CREATE INDEX ix_fittings_component_id ON fittings (component_id);
CREATE INDEX ix_station_grants_asset_id ON station_grants (asset_id);
CREATE INDEX ix_station_grants_change_no ON station_grants (change_no);
CREATE INDEX ix_station_grants_customer_id ON station_grants (customer_id);
CREATE INDEX ix_station_grants_station_id_ended_at ON station_grants (station_id, ended_at);
CREATE INDEX ix_work_orders_asset_id ON work_orders (asset_id);
CREATE INDEX ix_work_orders_change_no ON work_orders (change_no);
CREATE INDEX ix_work_orders_component_id ON work_orders (component_id);
CREATE INDEX ix_work_orders_customer_id ON work_orders (customer_id);
CREATE INDEX ix_work_orders_state ON work_orders (state);
CREATE INDEX ix_work_orders_territory_id ON work_orders (territory_id);
CREATE UNIQUE INDEX uq_work_orders_open_job ON work_orders (component_id, job) WHERE state NOT IN ('finished', 'cancelled');
CREATE INDEX ix_bookings_change_no ON bookings (change_no);
CREATE INDEX ix_bookings_work_order_id ON bookings (work_order_id);
CREATE UNIQUE INDEX uq_bookings_held ON bookings (station_id, bay, starts_at) WHERE state = 'held';
CREATE INDEX ix_device_commands_change_no ON device_commands (change_no);
CREATE INDEX ix_device_commands_device_id ON device_commands (device_id);
CREATE INDEX ix_device_commands_state ON device_commands (state);
CREATE INDEX ix_device_presence_heard_ms ON device_presence (heard_ms);
CREATE INDEX ix_fault_codes_asset_id_occurred_at ON fault_codes (asset_id, occurred_at);
CREATE INDEX ix_fault_codes_change_no ON fault_codes (change_no);
CREATE INDEX ix_service_offers_asset_id ON service_offers (asset_id);
CREATE INDEX ix_service_offers_change_no ON service_offers (change_no);
CREATE INDEX ix_service_offers_customer_id ON service_offers (customer_id);
CREATE INDEX ix_service_offers_state_valid_until ON service_offers (state, valid_until);
CREATE UNIQUE INDEX uq_service_offers_open ON service_offers (component_id, kind) WHERE state IN ('issued', 'viewed', 'accepted');
CREATE INDEX ix_station_tasks_change_no ON station_tasks (change_no);
CREATE INDEX ix_station_tasks_state_answer_by ON station_tasks (state, answer_by);
CREATE INDEX ix_station_tasks_station_id ON station_tasks (station_id);
CREATE INDEX ix_station_tasks_work_order_id ON station_tasks (work_order_id);
CREATE UNIQUE INDEX uq_station_tasks_live ON station_tasks (work_order_id) WHERE state IN ('offered', 'accepted', 'in_progress');
CREATE INDEX ix_coupons_change_no ON coupons (change_no);
CREATE INDEX ix_users_customer_id ON users (customer_id);
CREATE INDEX ix_users_change_no ON users (change_no);
CREATE INDEX ix_users_station_id ON users (station_id);
CREATE INDEX ix_field_marks_change_no ON field_marks (change_no);
CREATE INDEX ix_scope_entries_change_no ON scope_entries (change_no) WHERE change_no IS NULL;
CREATE INDEX ix_scope_entries_delta ON scope_entries (scope, change_no);
CREATE INDEX ix_scope_entries_row ON scope_entries (collection, row_id);
CREATE INDEX ix_scope_grants_scope ON scope_grants (scope);
CREATE INDEX ix_sync_receipts_at ON sync_receipts (at);
CREATE INDEX ix_intents_change_no ON intents (change_no);
CREATE INDEX ix_intents_user_id ON intents (user_id);
CREATE INDEX ix_sync_conflicts_change_no ON sync_conflicts (change_no);
CREATE INDEX ix_sync_conflicts_collection_row_id ON sync_conflicts (collection, row_id);
CREATE UNIQUE INDEX uq_fittings_open ON fittings (component_id) WHERE removed_at IS NULL AND deleted_at IS NULL;
CREATE UNIQUE INDEX ix_users_login_key ON users (login_key);
CREATE INDEX ix_attachments_change_no ON attachments (change_no);
CREATE INDEX ix_attachments_sha256 ON attachments (sha256);
CREATE INDEX ix_attachments_stored_sha256 ON attachments (stored_sha256);
CREATE INDEX ix_attachments_user_id ON attachments (user_id);
CREATE INDEX ix_attachments_subject_id ON attachments (subject_id);
CREATE INDEX ix_deleted_ids_at ON deleted_ids (at);
CREATE INDEX ix_refresh_tokens_parent_hash ON refresh_tokens (parent_hash);
CREATE INDEX ix_early_rows_at ON early_rows (at);
CREATE INDEX ix_sync_problems_change_no ON sync_problems (change_no);
CREATE INDEX ix_sync_problems_user_id ON sync_problems (user_id);
COMMIT;
