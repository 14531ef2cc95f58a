"""Words reaching a person: transactional outbox, channels, messages in two languages."""
