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
INSERT INTO "alarms" VALUES('01a2009d-67d7-79f6-94b3-ddee67db1df7','01a2009d-678e-7c0b-8f38-51c3e707360c',1,'component','01a2009d-676b-7659-9dd9-993308b3659c','01a2009d-6761-7ee7-a906-ac44b452d775',1,'raised','major','soh_pct','2026-03-02 02:00:00.000000',74.9,'2026-03-02 02:00:00.000000',74.1,3,NULL,NULL,NULL,'2026-03-02 02:00:00.000000',2,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
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
INSERT INTO "assets" VALUES('01a2009d-6761-7ee7-a906-ac44b452d775','VIN-0001','Model 60','01a2009d-6715-7ef3-a7cb-ac7966f246ba','01a2009d-671a-72f8-a2cc-5bdeab70c624',NULL,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
	n BIGINT NOT NULL, 
	CONSTRAINT pk_change_counter PRIMARY KEY (id)
);
INSERT INTO "change_counter" VALUES(1,2);
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
INSERT INTO "components" VALUES('01a2009d-676b-7659-9dd9-993308b3659c','PACK-0001','battery_pack','PACK-60',NULL,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "coupons" VALUES('01a2009d-6858-785b-94f3-491d8ff45ba0','01a2009d-6855-7443-b868-8a89d4ac099b','d75d4753b8199b1fb7d2f3e1a057e9b8d6148c6247b86908aba94254a921b824','open',NULL,NULL,NULL,2,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "customers" VALUES('01a2009d-6715-7ef3-a7cb-ac7966f246ba','C-1','Lin Logistics',NULL,NULL,'01a2009d-66eb-726f-b598-84758dd531c9','01a2009d-66fc-7194-8e0b-328c908c6db0',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "dead_letters" VALUES('01a2009d-6877-7c27-9dad-df434c2e910b','8e68e080ee1bab394f482d9ab9c34a655bd59e61512e313bafda4ba9b752cc5c','devices/0/device-0001/telemetry',X'6E6F74206A736F6E',8,1,'not_json','JSON is malformed: invalid character (byte 4)','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',1,'open');
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
INSERT INTO "detector_states" VALUES('01a2009d-678e-7c0b-8f38-51c3e707360c','01a2009d-676b-7659-9dd9-993308b3659c',1,'c6cc2bbfb1a117932801698773350fcdea5a09c1d8381b5f1a19250cfe316c63','{"last":[1772416800000,"b1:3",74.1,"device-0001"],"run":[],"run_count":0,"open":{"raised_at_ms":1772416800000,"causes":[[1772244000000,"b1:1",74.9,"device-0001"],[1772330400000,"b1:2",74.5,"device-0001"],[1772416800000,"b1:3",74.1,"device-0001"]],"last":[1772416800000,"b1:3",74.1,"device-0001"],"count":3,"cleared_at_ms":null,"clear_reason":null,"clear_causes":[]},"assumed_ms":0}',NULL);
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
INSERT INTO "device_profiles" VALUES('01a2009d-674f-798b-a1da-3704fdd8500a','native','Native','native','rated',0,'{"soh_pct": {"unit": "%", "component": "battery_pack"}}',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "devices" VALUES('device-0001','native','device-0001','01a2009d-674f-798b-a1da-3704fdd8500a','01a2009d-6761-7ee7-a906-ac44b452d775','2025-01-26 02:00:00.000000',0,'active','$7$101$u8a2lunySeR8eteT$4cJtS/O4OT3wx5npWLUNaso5r3m9/HXE+L7wTWhwxYNjSqMUDx4DCMSn7xye+uMW3DNbNpWH9SO0P+k67QakSg==',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "fittings" VALUES('01a2009d-6777-7bab-93e4-f31338d56ca6','01a2009d-676b-7659-9dd9-993308b3659c','01a2009d-6761-7ee7-a906-ac44b452d775','2025-01-26 02:00:00.000000',NULL,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "history" VALUES('01a2009d-66eb-7d67-b90e-9d89d4db9fdd','territory.created','territory','01a2009d-66eb-726f-b598-84758dd531c9','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-6716-7dba-adf3-9e519f461bd0','customer.created','customer','01a2009d-6715-7ef3-a7cb-ac7966f246ba','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-671b-709c-b027-3245098047aa','site.created','site','01a2009d-671a-72f8-a2cc-5bdeab70c624','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-6735-762d-ab41-0ae4bdaf55a8','station.created','station','01a2009d-672c-79f3-b616-485a9247264a','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-673b-7135-9630-9df58e674cac','stock.counted','station','01a2009d-672c-79f3-b616-485a9247264a','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"part_no": "PACK-60", "on_hand": 1}');
INSERT INTO "history" VALUES('01a2009d-6743-75ae-88c3-2322a251a0c1','station.created','station','01a2009d-6741-7e11-b114-45cb167e8d7d','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-6745-7923-a440-a48a16f6666e','stock.counted','station','01a2009d-6741-7e11-b114-45cb167e8d7d','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"part_no": "PACK-60", "on_hand": 1}');
INSERT INTO "history" VALUES('01a2009d-6750-74fe-aedc-cfe4dfb58c84','device_profile.created','device_profile','01a2009d-674f-798b-a1da-3704fdd8500a','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-6762-7bb1-bb00-7cf48ffdb527','asset.created','asset','01a2009d-6761-7ee7-a906-ac44b452d775','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-676c-7335-922d-df588da56324','component.created','component','01a2009d-676b-7659-9dd9-993308b3659c','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{}');
INSERT INTO "history" VALUES('01a2009d-6778-76eb-840b-6b778be7178c','component.fitted','component','01a2009d-676b-7659-9dd9-993308b3659c','system-user','2025-01-26 02:00:00.000000','2026-03-02 02:00:00.000000','{"asset_id": "01a2009d-6761-7ee7-a906-ac44b452d775", "serial": "PACK-0001"}');
INSERT INTO "history" VALUES('01a2009d-6783-7de9-83ad-0623d5b9d7e2','device.registered','device','device-0001','system-user','2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"asset_id": "01a2009d-6761-7ee7-a906-ac44b452d775"}');
INSERT INTO "history" VALUES('01a2009d-678f-7d11-b4c5-f96eee9aca2f','rule.created','rule','01a2009d-678e-7c0b-8f38-51c3e707360c',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"code": "battery-health", "number": 1}');
INSERT INTO "history" VALUES('01a2009d-6793-762b-9aee-b4f27d3f5c17','rule.created','rule','01a2009d-6793-702f-8459-ea0fc024b1fe',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"code": "device-silent", "number": 1}');
INSERT INTO "history" VALUES('01a2009d-67e5-7808-b7e0-b4f737d68d8c','reading.observed','reading','5ec2668ec111e4d791fa9cd94648f1b9',NULL,'2026-02-28 02:00:00.000000','2026-03-02 02:00:00.000000','{"component_id": "01a2009d-676b-7659-9dd9-993308b3659c", "metric": "soh_pct", "device_id": "device-0001", "at": "2026-02-28T02:00:00+00:00", "value": 74.9, "key": "b1:1"}');
INSERT INTO "history" VALUES('01a2009d-67e7-721b-8253-d9269cc99b5e','reading.observed','reading','b87324504e8e59e95d72624fe63218a0',NULL,'2026-03-01 02:00:00.000000','2026-03-02 02:00:00.000000','{"component_id": "01a2009d-676b-7659-9dd9-993308b3659c", "metric": "soh_pct", "device_id": "device-0001", "at": "2026-03-01T02:00:00+00:00", "value": 74.5, "key": "b1:2"}');
INSERT INTO "history" VALUES('01a2009d-67e8-722b-b1b8-2b7fb0109351','reading.observed','reading','044fa05a818c9e76fb3965d665e7916e',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"component_id": "01a2009d-676b-7659-9dd9-993308b3659c", "metric": "soh_pct", "device_id": "device-0001", "at": "2026-03-02T02:00:00+00:00", "value": 74.1, "key": "b1:3"}');
INSERT INTO "history" VALUES('01a2009d-67e8-7d15-82c6-7ffef9d30cf3','alarm.raised','alarm','01a2009d-67d7-79f6-94b3-ddee67db1df7',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"rule": "battery-health", "rule_number": 1, "metric": "soh_pct", "episode": 1, "condition": {"below": 75.0, "readings": 3, "span_h": 24.0}, "readings": [{"device_id": "device-0001", "at": "2026-02-28T02:00:00+00:00", "value": 74.9, "key": "b1:1"}, {"device_id": "device-0001", "at": "2026-03-01T02:00:00+00:00", "value": 74.5, "key": "b1:2"}, {"device_id": "device-0001", "at": "2026-03-02T02:00:00+00:00", "value": 74.1, "key": "b1:3"}], "count": 3}');
INSERT INTO "history" VALUES('01a2009d-6800-7fa8-9f57-8e984f33d53e','notification.queued','notification','01a2009d-6800-7009-8bb3-99dd408839ea',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"message": "battery_alarm", "recipient_id": "01a2009d-66fc-7194-8e0b-328c908c6db0"}');
INSERT INTO "history" VALUES('01a2009d-6823-743c-9f52-e108a610e753','work_order.opened','work_order','01a2009d-6821-7e02-b151-e530c2d00354',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"number": "WO-2026-000001", "job": "battery_replacement"}');
INSERT INTO "history" VALUES('01a2009d-683b-7f49-adb8-69b772145da1','work_order.stations_ranked','work_order','01a2009d-6821-7e02-b151-e530c2d00354',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"ranking": [{"station_id": "01a2009d-672c-79f3-b616-485a9247264a", "station": "Station S0", "lacks": [], "open_now": true, "load": 0.0, "distance_m": 1107}, {"station_id": "01a2009d-6741-7e11-b114-45cb167e8d7d", "station": "Station S1", "lacks": [], "open_now": true, "load": 0.0, "distance_m": 2215}]}');
INSERT INTO "history" VALUES('01a2009d-6849-7a5a-abd8-7e54d50087b3','station_task.offered','station_task','01a2009d-6845-78f6-a24d-7872df768532',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"station_id": "01a2009d-672c-79f3-b616-485a9247264a", "station": "Station S0", "part_no": "PACK-60", "answer_by": "2026-03-02T02:30:00+00:00"}');
INSERT INTO "history" VALUES('01a2009d-6852-7798-a235-4a86b4ea8bd5','notification.queued','notification','01a2009d-6852-7265-b42c-99cd0897c491',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"message": "task_offered", "recipient_id": "01a2009d-6746-7a5a-90df-3c5195658009"}');
INSERT INTO "history" VALUES('01a2009d-6856-769f-b06d-ad1bb8255a12','service_offer.issued','service_offer','01a2009d-6855-7443-b868-8a89d4ac099b',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"service": "battery_replacement", "amount_due": "4300.00", "currency": "CNY", "under_warranty": false, "valid_until": "2026-03-16T02:00:00+00:00"}');
INSERT INTO "history" VALUES('01a2009d-685f-73f7-b8eb-2a96c3bd611c','coupon.issued','coupon','01a2009d-6858-785b-94f3-491d8ff45ba0',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"discount": "500.00", "currency": "CNY"}');
INSERT INTO "history" VALUES('01a2009d-6862-7fcb-8c25-92e52b06817f','notification.queued','notification','01a2009d-6862-7c1b-8bf5-726a4e85613e',NULL,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000','{"message": "offer_made", "recipient_id": "01a2009d-671c-73f2-9361-88ea524692e7"}');
CREATE TABLE history_causes (
	effect_id VARCHAR(36) NOT NULL, 
	cause_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_history_causes PRIMARY KEY (effect_id, cause_id), 
	CONSTRAINT fk_history_causes_cause_id FOREIGN KEY(cause_id) REFERENCES history (id), 
	CONSTRAINT fk_history_causes_effect_id FOREIGN KEY(effect_id) REFERENCES history (id)
);
INSERT INTO "history_causes" VALUES('01a2009d-67e8-7d15-82c6-7ffef9d30cf3','01a2009d-67e5-7808-b7e0-b4f737d68d8c');
INSERT INTO "history_causes" VALUES('01a2009d-67e8-7d15-82c6-7ffef9d30cf3','01a2009d-67e7-721b-8253-d9269cc99b5e');
INSERT INTO "history_causes" VALUES('01a2009d-67e8-7d15-82c6-7ffef9d30cf3','01a2009d-67e8-722b-b1b8-2b7fb0109351');
INSERT INTO "history_causes" VALUES('01a2009d-6800-7fa8-9f57-8e984f33d53e','01a2009d-67e8-7d15-82c6-7ffef9d30cf3');
INSERT INTO "history_causes" VALUES('01a2009d-6823-743c-9f52-e108a610e753','01a2009d-67e8-7d15-82c6-7ffef9d30cf3');
INSERT INTO "history_causes" VALUES('01a2009d-683b-7f49-adb8-69b772145da1','01a2009d-6823-743c-9f52-e108a610e753');
INSERT INTO "history_causes" VALUES('01a2009d-6849-7a5a-abd8-7e54d50087b3','01a2009d-683b-7f49-adb8-69b772145da1');
INSERT INTO "history_causes" VALUES('01a2009d-6852-7798-a235-4a86b4ea8bd5','01a2009d-6849-7a5a-abd8-7e54d50087b3');
INSERT INTO "history_causes" VALUES('01a2009d-6856-769f-b06d-ad1bb8255a12','01a2009d-67e8-7d15-82c6-7ffef9d30cf3');
INSERT INTO "history_causes" VALUES('01a2009d-685f-73f7-b8eb-2a96c3bd611c','01a2009d-6856-769f-b06d-ad1bb8255a12');
INSERT INTO "history_causes" VALUES('01a2009d-6862-7fcb-8c25-92e52b06817f','01a2009d-6856-769f-b06d-ad1bb8255a12');
CREATE TABLE ingest_counters (
	name VARCHAR(40) NOT NULL, 
	n BIGINT NOT NULL, 
	CONSTRAINT pk_ingest_counters PRIMARY KEY (name)
);
INSERT INTO "ingest_counters" VALUES('message',5);
INSERT INTO "ingest_counters" VALUES('reading',4);
INSERT INTO "ingest_counters" VALUES('poison',1);
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
INSERT INTO "notifications" VALUES('01a2009d-6800-7009-8bb3-99dd408839ea','01a2009d-66fc-7194-8e0b-328c908c6db0','battery_alarm','{"customer_name": "Lin Logistics", "asset_model": "Model 60", "asset_serial": "VIN-0001", "soh_pct": 74.1, "measured_on": "2026-03-02T02:00:00+00:00", "late": false}','alarm','01a2009d-67d7-79f6-94b3-ddee67db1df7','alarm:01a2009d-67d7-79f6-94b3-ddee67db1df7:raised:01a2009d-66fc-7194-8e0b-328c908c6db0',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "notifications" VALUES('01a2009d-6852-7265-b42c-99cd0897c491','01a2009d-6746-7a5a-90df-3c5195658009','task_offered','{"job": "battery_replacement", "asset_model": "Model 60", "part_no": "PACK-60", "answer_by": "2026-03-02T02:30:00+00:00"}','station_task','01a2009d-6845-78f6-a24d-7872df768532','task:01a2009d-6845-78f6-a24d-7872df768532:offered:01a2009d-6746-7a5a-90df-3c5195658009',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "notifications" VALUES('01a2009d-6862-7c1b-8bf5-726a4e85613e','01a2009d-671c-73f2-9361-88ea524692e7','offer_made','{"asset_model": "Model 60", "asset_serial": "VIN-0001", "amount_due": "4300.00", "discount": "500.00", "currency": "CNY", "valid_until": "2026-03-16T02:00:00+00:00", "warranty": false, "soh_pct": 74.1, "measured_on": "2026-03-02T02:00:00+00:00", "late": false}','service_offer','01a2009d-6855-7443-b868-8a89d4ac099b','offer:01a2009d-6855-7443-b868-8a89d4ac099b:made:01a2009d-671c-73f2-9361-88ea524692e7',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE number_series (
	series VARCHAR(20) NOT NULL, 
	year INTEGER NOT NULL, 
	n BIGINT NOT NULL, 
	CONSTRAINT pk_number_series PRIMARY KEY (series, year)
);
INSERT INTO "number_series" VALUES('WO',2026,1);
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
INSERT INTO "part_stocks" VALUES('01a2009d-673a-75b1-bca2-ad223d548d3e','01a2009d-672c-79f3-b616-485a9247264a','PACK-60',1,1,2,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "part_stocks" VALUES('01a2009d-6745-7451-bbbc-68c8f09b392a','01a2009d-6741-7e11-b114-45cb167e8d7d','PACK-60',1,0,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
	used_at DATETIME, 
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
INSERT INTO "rule_versions" VALUES('01a2009d-678e-7c0b-8f38-51c3e707360c',1,'{"name": {"zh-CN": "\u7535\u6c60\u5065\u5eb7\u5ea6\u8fc7\u4f4e", "en": "Battery health is low"}, "detector": "threshold", "severity": "major", "lateness_h": 720, "metric": "soh_pct", "component": "battery_pack", "raise_if": {"below": 75.0, "readings": 3, "span_h": 24}, "clear_if": {"at_least": 78.0, "readings": 3, "span_h": 24}, "service": {"kind": "battery_replacement", "price": "4800.00", "discount": "500.00", "certificates": ["high_voltage"]}}','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "rule_versions" VALUES('01a2009d-6793-702f-8459-ea0fc024b1fe',1,'{"name": {"zh-CN": "\u8bbe\u5907\u5931\u8054", "en": "Device is silent"}, "detector": "silence", "severity": "warning", "silent_after_h": 24}','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "rules" VALUES('01a2009d-678e-7c0b-8f38-51c3e707360c','battery-health',1,1,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "rules" VALUES('01a2009d-6793-702f-8459-ea0fc024b1fe','device-silent',1,1,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "service_offers" VALUES('01a2009d-6855-7443-b868-8a89d4ac099b','battery_replacement','issued','01a2009d-67d7-79f6-94b3-ddee67db1df7','01a2009d-676b-7659-9dd9-993308b3659c','01a2009d-6761-7ee7-a906-ac44b452d775','01a2009d-6715-7ef3-a7cb-ac7966f246ba','01a2009d-6821-7e02-b151-e530c2d00354','4800.00','500.00','4300.00','CNY',0,'2026-03-16 02:00:00.000000',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "sites" VALUES('01a2009d-671a-72f8-a2cc-5bdeab70c624','01a2009d-6715-7ef3-a7cb-ac7966f246ba','Depot','',22.54,114.05,1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "station_grants" VALUES('01a2009d-6848-7988-981f-26ea8142f98e','01a2009d-672c-79f3-b616-485a9247264a','01a2009d-6715-7ef3-a7cb-ac7966f246ba','01a2009d-6761-7ee7-a906-ac44b452d775','01a2009d-6845-78f6-a24d-7872df768532',NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "station_tasks" VALUES('01a2009d-6845-78f6-a24d-7872df768532','01a2009d-6821-7e02-b151-e530c2d00354','01a2009d-672c-79f3-b616-485a9247264a','offered','PACK-60','2026-03-02 02:30:00.000000',NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE station_territories (
	station_id VARCHAR(36) NOT NULL, 
	territory_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_station_territories PRIMARY KEY (station_id, territory_id), 
	CONSTRAINT fk_station_territories_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT fk_station_territories_territory_id FOREIGN KEY(territory_id) REFERENCES territories (id)
);
INSERT INTO "station_territories" VALUES('01a2009d-672c-79f3-b616-485a9247264a','01a2009d-66eb-726f-b598-84758dd531c9');
INSERT INTO "station_territories" VALUES('01a2009d-6741-7e11-b114-45cb167e8d7d','01a2009d-66eb-726f-b598-84758dd531c9');
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
INSERT INTO "stations" VALUES('01a2009d-672c-79f3-b616-485a9247264a','S0','Station S0','',22.55,114.05,'24/7','Asia/Shanghai',2,1,NULL,'["high_voltage"]',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "stations" VALUES('01a2009d-6741-7e11-b114-45cb167e8d7d','S1','Station S1','',2.25600000000000022737e+01,114.05,'24/7','Asia/Shanghai',2,1,NULL,'["high_voltage"]',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "territories" VALUES('01a2009d-66eb-726f-b598-84758dd531c9','SZ','Shenzhen',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
CREATE TABLE user_territories (
	user_id VARCHAR(36) NOT NULL, 
	territory_id VARCHAR(36) NOT NULL, 
	CONSTRAINT pk_user_territories PRIMARY KEY (user_id, territory_id), 
	CONSTRAINT fk_user_territories_territory_id FOREIGN KEY(territory_id) REFERENCES territories (id), 
	CONSTRAINT fk_user_territories_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);
INSERT INTO "user_territories" VALUES('01a2009d-66f9-7f53-a66f-48ad3086c70d','01a2009d-66eb-726f-b598-84758dd531c9');
INSERT INTO "user_territories" VALUES('01a2009d-66fc-7194-8e0b-328c908c6db0','01a2009d-66eb-726f-b598-84758dd531c9');
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
	deleted_at DATETIME, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT ck_users_customer_link CHECK (role <> 'customer' OR customer_id IS NOT NULL), 
	CONSTRAINT fk_users_partner_id FOREIGN KEY(partner_id) REFERENCES partners (id), 
	CONSTRAINT ck_users_role CHECK (role IN ('admin', 'manager', 'rep', 'station_staff', 'customer')), 
	CONSTRAINT ck_users_staff_station CHECK (role <> 'station_staff' OR station_id IS NOT NULL), 
	CONSTRAINT ck_users_state CHECK (state IN ('invited', 'active', 'deactivated')), 
	CONSTRAINT uq_users_login UNIQUE (login), 
	CONSTRAINT fk_users_station_id FOREIGN KEY(station_id) REFERENCES stations (id), 
	CONSTRAINT fk_users_customer_id FOREIGN KEY(customer_id) REFERENCES customers (id)
);
INSERT INTO "users" VALUES('01a2009d-66f4-70e0-a4a5-180df6f6c507','admin@example.test','admin','admin','active','en',NULL,NULL,NULL,NULL,NULL,'$argon2id$v=19$m=8,t=1,p=1$bAcDXcAP2X0/Ckj8pKfBpg$mdwma1LmByfrgXnFVZt0wqyhhX3NcQTHMUFFlp8MA9c','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "users" VALUES('01a2009d-66f9-7f53-a66f-48ad3086c70d','manager@example.test','manager','manager','active','en',NULL,NULL,NULL,NULL,NULL,'$argon2id$v=19$m=8,t=1,p=1$038AM2+P9eaJywVQxcFYyQ$rDWDUnokK6Gt72st3zXkmNNXpYTFXwOi2TjAOx0SUJE','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "users" VALUES('01a2009d-66fc-7194-8e0b-328c908c6db0','rep@example.test','rep','rep','active','zh-CN',NULL,NULL,NULL,NULL,NULL,'$argon2id$v=19$m=8,t=1,p=1$4HozohsdHCU7KT0SK7Y/mQ$jWwQZOYcCJpRPEt2MmJLkMPJGu3HZuCacXoiMUMvM3U','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "users" VALUES('01a2009d-671c-73f2-9361-88ea524692e7','owner@example.test','owner','customer','active','en',NULL,NULL,NULL,NULL,'01a2009d-6715-7ef3-a7cb-ac7966f246ba','$argon2id$v=19$m=8,t=1,p=1$tZZKAPvTR/eiXLoMgIYRPA$ppFUV/PJ4951BoMA6SXnV7N2ok+MF/vU1YdevL7J2OM','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "users" VALUES('01a2009d-6746-7a5a-90df-3c5195658009','staff0@example.test','staff0','station_staff','active','en',NULL,NULL,NULL,'01a2009d-672c-79f3-b616-485a9247264a',NULL,'$argon2id$v=19$m=8,t=1,p=1$2M6OCfPuFgoWkDPudTV9KQ$u2kMyFWl0hIzN48sCro131B9krN9s9OyFzXF1Qd0I9U','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
INSERT INTO "users" VALUES('01a2009d-6747-7562-b9fa-a971b7263f01','staff1@example.test','staff1','station_staff','active','en',NULL,NULL,NULL,'01a2009d-6741-7e11-b114-45cb167e8d7d',NULL,'$argon2id$v=19$m=8,t=1,p=1$e1ez+s1rPhSnvzqL3vhaJw$wSHOqnUxVAd0z1sh3g/HdnOfJ5jjiipqug3zinazQZc','2020-01-01 00:00:00.000000',1,1,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
INSERT INTO "work_orders" VALUES('01a2009d-6821-7e02-b151-e530c2d00354','WO-2026-000001','battery_replacement','01a2009d-6761-7ee7-a906-ac44b452d775','01a2009d-676b-7659-9dd9-993308b3659c','01a2009d-6715-7ef3-a7cb-ac7966f246ba','01a2009d-671a-72f8-a2cc-5bdeab70c624','01a2009d-66eb-726f-b598-84758dd531c9','PACK-60','["high_voltage"]','proposed',NULL,1,NULL,NULL,NULL,1,2,'2026-03-02 02:00:00.000000','2026-03-02 02:00:00.000000',NULL);
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
CREATE UNIQUE INDEX uq_fittings_open ON fittings (component_id) WHERE removed_at IS NULL;
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
CREATE INDEX ix_users_station_id ON users (station_id);
CREATE INDEX ix_users_change_no ON users (change_no);
COMMIT;
