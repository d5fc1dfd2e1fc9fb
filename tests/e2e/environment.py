"""What a service under test is told by its environment."""

# Short enough that a lost worker's work is seen to come back.
SHORT_LEASE = {"PREDICTION_TIME_LIMIT_SECONDS": "9", "PREDICTION_LEASE_SECONDS": "10"}
# One process, so that a run on two cores leaves the worker one.
SMALL = {"WEB_CONCURRENCY": "1", "WEB_THREADS": "32"}
# All requests of a run come from one address.
UNHURRIED = {
    "REGISTER_RATE": "10000/min",
    "TOKEN_RATE": "10000/min",
    "LETTER_RATE": "10000/min",
    "DOWNLOAD_RATE": "10000/min",
}
# A person's own .env must not reach into a test.
PLAIN = {
    "DJANGO_SETTINGS_MODULE": "mlservice.settings",
    "ALLOWED_HOSTS": "127.0.0.1",
    "DEBUG": "false",
    "DEMO_MODE": "true",
    "TOP_UP_PROVIDERS": "demo,manual",
    "DEMO_ADMIN_PASSWORD": "an operator's long phrase",
    "DEMO_CLIENT_PASSWORD": "a client's long phrase",
    "HTTPS": "false",
    "LISTEN_DATABASE_URL": "",
    "LOG_JSON": "true",
    "MIGRATION_DATABASE_URL": "",
    "SIGNUP_CREDITS": "0",
}
