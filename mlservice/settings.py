"""All settings, read top to bottom; the environment decides, `.env` is its file form.

Defaults run a checkout with the embedded servers. `.env.example` lists every variable.
"""

import re
from datetime import timedelta
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from deploy.secret_files import read_secret_files
from mlservice import embedded
from mlservice.lib import queues
from mlservice.lib.currencies import check_currency

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")
read_secret_files()

# --- Identity and mode ---------------------------------------------------------------

VERSION = "0.1.0"
SECRET_KEY = env.str("SECRET_KEY")
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY")
# Earlier keys: what they signed is still taken, and nothing is signed with them any more.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
JWT_SIGNING_KEY_FALLBACKS = env.list("JWT_SIGNING_KEY_FALLBACKS", default=[])
if any(len(key) < 32 for key in (JWT_SIGNING_KEY, *JWT_SIGNING_KEY_FALLBACKS)):
    raise ImproperlyConfigured(
        "JWT_SIGNING_KEY and each of JWT_SIGNING_KEY_FALLBACKS must have at least 32 characters."
    )
DEBUG = env.bool("DEBUG", default=False)
DEMO_MODE = env.bool("DEMO_MODE", default=False)
DEMO_ADMIN_PASSWORD = env.str("DEMO_ADMIN_PASSWORD", default="")
DEMO_CLIENT_PASSWORD = env.str("DEMO_CLIENT_PASSWORD", default="")
# Steps at which a test makes a process die; where money is real nobody may arm one.
FAILPOINTS = env.str("FAILPOINTS", default="")
FAILPOINTS_FOLDER = env.str("FAILPOINTS_FOLDER", default="")
if FAILPOINTS and not (DEMO_MODE or DEBUG):
    raise ImproperlyConfigured("FAILPOINTS need DEMO_MODE=true or DEBUG=true.")

# --- HTTP ----------------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Where people reach the service: links in mails and payment pages lead back here.
SITE_URL = env.str("SITE_URL", default="").rstrip("/")
SITE_URL = SITE_URL or f"http://127.0.0.1:{env.str('PORT', default='') or 8000}"
if not SITE_URL.startswith(("http://", "https://")):
    raise ImproperlyConfigured("SITE_URL must begin with http:// or https://.")

# One switch for everything TLS asks of Django; the proxy in front terminates it.
HTTPS = env.bool("HTTPS", default=False)
SECURE_SSL_REDIRECT = HTTPS
# Asked from inside, past the proxy that speaks TLS.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# One request is at most 1 MB; the limits on rows and nesting stand with the predictions.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
FILE_UPLOAD_HANDLERS = ["mlservice.lib.uploads.InMemoryUpload"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500

# --- Applications --------------------------------------------------------------------

INSTALLED_APPS = [
    "mlservice",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_structlog",
    "axes",
    "csp",
    "mlservice.lib.mail",
    "accounts",
    "billing",
    "ml_models",
    "predictions",
]

MIDDLEWARE = [
    "mlservice.lib.metrics.requests.CountingMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "mlservice.lib.middleware.ApiLeaves",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "mlservice.lib.csp.PolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "mlservice.lib.middleware.ApiJoins",
    "mlservice.lib.problems.ProblemMiddleware",
    "django.middleware.common.CommonMiddleware",
    "mlservice.lib.middleware.RequestLog",
    "accounts.middleware.PersonMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "mlservice.lib.signing_in_again.SigningInAgainMiddleware",
    "axes.middleware.AxesMiddleware",
]
# Traces go to a collector where the environment names one; else nothing of them is loaded.
IS_TRACED = bool(env.str("OTEL_EXPORTER_OTLP_ENDPOINT", default=""))
if IS_TRACED:
    MIDDLEWARE.insert(1, "mlservice.lib.spans.TracingMiddleware")

ROOT_URLCONF = "mlservice.urls"
WSGI_APPLICATION = "mlservice.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "mlservice.site.context.site",
            ],
        },
    },
]

# --- Database ------------------------------------------------------------------------

# Threads keep their connection; a dead one is noticed before a request uses it.
DATABASE_URL = env.str("DATABASE_URL", default="") or embedded.database_url()
MIGRATION_DATABASE_URL = env.str("MIGRATION_DATABASE_URL", default="")
if not env.str("DATABASE_URL", default="") and not MIGRATION_DATABASE_URL:
    MIGRATION_DATABASE_URL = embedded.owner_url()

# A server that fell silent is given up within half a minute, by whoever waits for it.
DATABASE_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
if MIGRATION_DATABASE_URL:
    # The owner of the tables: only `prepare_database` uses it.
    DATABASES["owner"] = env.db_url_config(MIGRATION_DATABASE_URL) | {
        "ENGINE": "django.db.backends.postgresql",
        "TEST": {"MIRROR": "default"},
    }
DATABASES["default"] |= {
    "ENGINE": "django.db.backends.postgresql",
    "CONN_MAX_AGE": env.int("DATABASE_CONN_MAX_AGE_SECONDS", default=600),
    "CONN_HEALTH_CHECKS": True,
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    {"application_name": "mlservice", **DATABASE_PATIENCE}
)
# A LISTEN does not pass a transaction pooler: behind one, name the server itself here.
LISTEN_DATABASE_URL = env.str("LISTEN_DATABASE_URL", default="") or DATABASE_URL
# A prepared statement does not pass one either.
DATABASE_PREPARES = LISTEN_DATABASE_URL == DATABASE_URL
if env.str("DATABASE_PREPARES", default=""):
    DATABASE_PREPARES = env.bool("DATABASE_PREPARES")
# Nor does a cursor that outlives its transaction, such as a long list is read by.
DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = not DATABASE_PREPARES
if DATABASE_PREPARES:
    # Planned once, and not again for each list that is a little longer.
    said = DATABASES["default"]["OPTIONS"].get("options", "")
    DATABASES["default"]["OPTIONS"]["options"] = f"{said} -c plan_cache_mode=force_generic_plan"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- People --------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
# A link to set a forgotten password anew is good for so long, and once.
PASSWORD_RESET_TIMEOUT = 4 * 3_600
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "landing"

AXES_FAILURE_LIMIT = env.int("SIGN_IN_FAILURE_LIMIT", default=10)
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
PROXY_COUNT = env.int("PROXY_COUNT", default=0)
AXES_CLIENT_IP_CALLABLE = "mlservice.lib.addresses.client_address"
AXES_VERBOSE = False

# --- API -----------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["mlservice.lib.tokens.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["mlservice.lib.json.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "mlservice.lib.negotiation.Negotiation",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "mlservice.lib.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "mlservice.lib.openapi.Schema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.ScopedRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "register": env.str("REGISTER_RATE", default="20/hour"),
        "token": env.str("TOKEN_RATE", default="60/min"),
        "letters": env.str("LETTER_RATE", default="20/hour"),
        "download": env.str("DOWNLOAD_RATE", default="6/hour"),
    },
    "NUM_PROXIES": PROXY_COUNT,
    "EXCEPTION_HANDLER": "mlservice.lib.problems.handle_exception",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}

SIMPLE_JWT = {
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "AUTH_TOKEN_CLASSES": ("mlservice.lib.keys.AccessToken",),
    "ALGORITHM": "HS256",
    "AUDIENCE": "mlservice",
    "ISSUER": "mlservice",
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "ROTATE_REFRESH_TOKENS": True,
    "BLACKLIST_AFTER_ROTATION": True,
    "CHECK_REVOKE_TOKEN": True,
    "UPDATE_LAST_LOGIN": False,
    "LEEWAY": 10,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "ML Service",
    "DESCRIPTION": "Metered predictions from scikit-learn models, paid from a prepaid wallet.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "PredictionStatus": "predictions.models.Prediction.Status",
        "TopUpStatus": "billing.models.TopUp.Status",
        "VersionStatus": "ml_models.models.ModelVersion.Status",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "mlservice.lib.openapi.add_problem_responses",
    ],
}

# --- Money ---------------------------------------------------------------------------

SIGNUP_CREDITS = env.int("SIGNUP_CREDITS", default=0)
CREDIT_PRICE_CENTS = env.int("CREDIT_PRICE_CENTS", default=1)
CURRENCY = env.str("CURRENCY", default="USD").upper()
if not re.fullmatch("[A-Z]{3}", CURRENCY):
    raise ImproperlyConfigured("CURRENCY must be a code of three letters, such as USD.")
check_currency(CURRENCY)
if CREDIT_PRICE_CENTS < 0:
    raise ImproperlyConfigured("CREDIT_PRICE_CENTS must not be negative.")
# Card payments are there when both keys are.
STRIPE_API_KEY = env.str("STRIPE_API_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
PAYABLE = {
    "demo": DEMO_MODE,
    # What costs nothing cannot be paid by card.
    "stripe": bool(STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET and CREDIT_PRICE_CENTS),
    "manual": True,
}
TOP_UP_PROVIDERS = env.list("TOP_UP_PROVIDERS", default=[]) or [
    name for name, is_possible in PAYABLE.items() if is_possible
]
if impossible := [name for name in TOP_UP_PROVIDERS if not PAYABLE.get(name)]:
    raise ImproperlyConfigured(
        f"TOP_UP_PROVIDERS names {', '.join(impossible)}: demo needs DEMO_MODE=true, stripe "
        "needs STRIPE_API_KEY, STRIPE_WEBHOOK_SECRET and a price; manual is the only other one."
    )
TOP_UP_MIN_CREDITS = env.int("TOP_UP_MIN_CREDITS", default=1)
TOP_UP_MAX_CREDITS = env.int("TOP_UP_MAX_CREDITS", default=1_000_000)
TOP_UP_EXPIRES_HOURS = env.int("TOP_UP_EXPIRES_HOURS", default=24 * 14)
# In one wallet.
MAX_PENDING_TOP_UPS = env.int("MAX_PENDING_TOP_UPS", default=10)
if not 1 <= TOP_UP_MIN_CREDITS <= TOP_UP_MAX_CREDITS or TOP_UP_EXPIRES_HOURS < 1:
    raise ImproperlyConfigured(
        "TOP_UP_MIN_CREDITS must be at least 1 and not above TOP_UP_MAX_CREDITS, and "
        "TOP_UP_EXPIRES_HOURS at least 1."
    )
if MAX_PENDING_TOP_UPS < 1:
    raise ImproperlyConfigured("MAX_PENDING_TOP_UPS must be at least 1.")
# A larger grant, correction or refund waits for a second operator.
ADJUSTMENT_ALONE_CREDITS = env.int("ADJUSTMENT_ALONE_CREDITS", default=10_000)

# --- Models --------------------------------------------------------------------------

MODEL_STORE_DIR = Path(env.str("MODEL_STORE_DIR", default="") or BASE_DIR / ".dvc" / "cache")
MODEL_REMOTE_BUCKET = env.str("S3_BUCKET", default="")
MODEL_REMOTE_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="") or None
# What copies of fetched artifacts may take on disk; the least recently used go first.
MODEL_CACHE_MB = env.int("MODEL_CACHE_MB", default=512)
if MODEL_CACHE_MB < 0:
    raise ImproperlyConfigured("MODEL_CACHE_MB must not be negative.")
# How long a process may still serve by a pointer or a price that was changed in another one.
VERSION_CACHE_SECONDS = env.float("VERSION_CACHE_SECONDS", default=3.0)
if not 0 <= VERSION_CACHE_SECONDS <= 5:
    raise ImproperlyConfigured("VERSION_CACHE_SECONDS must be 0 to 5.")

# --- Predictions ---------------------------------------------------------------------

PREDICTION_MAX_ROWS = 1_000
PREDICTION_MAX_ERRORS = 200
PREDICTION_GROUP_MAX_ROWS = 1_000
# Larger ones travel in a queue of their own, so that the small ones never wait behind them.
PREDICTION_BULK_ROWS = env.int("PREDICTION_BULK_ROWS", default=100)
PREDICTION_MAX_AGE_SECONDS = env.int("PREDICTION_MAX_AGE_SECONDS", default=86_400)
PREDICTION_MAX_ATTEMPTS = 3
PREDICTION_LEASE_SECONDS = env.int("PREDICTION_LEASE_SECONDS", default=40)
PREDICTION_BACKLOG_LIMIT = env.int("PREDICTION_BACKLOG_LIMIT", default=10_000)
PREDICTION_TIME_LIMIT_SECONDS = env.int("PREDICTION_TIME_LIMIT_SECONDS", default=30)
if PREDICTION_LEASE_SECONDS <= PREDICTION_TIME_LIMIT_SECONDS:
    raise ImproperlyConfigured("PREDICTION_LEASE_SECONDS must exceed the task's time limit.")
# What fetching an artifact may take as a whole: a task that has to must end in time itself.
MODEL_FETCH_SECONDS = env.float(
    "MODEL_FETCH_SECONDS", default=max(1, min(20, PREDICTION_TIME_LIMIT_SECONDS - 6))
)
if not 0 < MODEL_FETCH_SECONDS < PREDICTION_TIME_LIMIT_SECONDS:
    raise ImproperlyConfigured("MODEL_FETCH_SECONDS must be less than the task's time limit.")
WEB_THREADS = env.int("WEB_THREADS", default=32)

# --- What is kept for how long --------------------------------------------------------

# Days; 0 keeps for ever. Never the ledger, nor what a prediction cost.
PREDICTION_RETENTION_DAYS = env.int("PREDICTION_RETENTION_DAYS", default=0)
SIGN_IN_RETENTION_DAYS = env.int("SIGN_IN_RETENTION_DAYS", default=0)
if min(PREDICTION_RETENTION_DAYS, SIGN_IN_RETENTION_DAYS) < 0:
    raise ImproperlyConfigured("Days of retention must not be negative.")

# --- Celery --------------------------------------------------------------------------

# The prediction row is the outbox and the result; the broker only carries ids.
CELERY_BROKER_URL = env.str("BROKER_URL", default="") or embedded.broker_url()
BROKER_IS_RABBITMQ = CELERY_BROKER_URL.startswith("amqp")
CELERY_TASK_QUEUES = queues.consumed_queues(is_rabbitmq=BROKER_IS_RABBITMQ)
CELERY_TASK_DEFAULT_QUEUE = queues.DUTIES
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = {"predictions.run": {"queue": queues.PREDICTIONS}}
CELERY_WORKER_CONSUMER = "mlservice.consumer:Consumer"
CELERY_WORKER_DETECT_QUORUM_QUEUES = BROKER_IS_RABBITMQ
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = PREDICTION_TIME_LIMIT_SECONDS
CELERY_TASK_SOFT_TIME_LIMIT = PREDICTION_TIME_LIMIT_SECONDS - 5
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Tasks keep their connection, as requests do: so many of them, then it is opened anew.
CELERY_DB_REUSE_MAX = 1_000
# The claim keeps a redelivered message from running twice: what is under way is finished.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = env.int("WORKER_MAX_TASKS_PER_CHILD", default=10_000)
# What a child may take beside its warmed-up models; one that has grown so large is replaced.
# 0 means no limit.
WORKER_MAX_MEMORY_MB = env.int("WORKER_MAX_MEMORY_MB", default=1_024)
CELERY_WORKER_MAX_MEMORY_PER_CHILD = WORKER_MAX_MEMORY_MB * 1_024 or None
# A child that loads models from a slow store is starting, not dead.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "flush-expired-tokens": {
        "task": "accounts.flush_expired_tokens",
        "schedule": crontab(hour=2, minute=30),
    },
    "expire-top-ups": {"task": "billing.expire_top_ups", "schedule": crontab(minute=15)},
    "add-up-usage": {
        "task": "predictions.add_up_usage",
        # A quarter of an hour must be over for a moment, by the database's clock too.
        "schedule": crontab(minute="1-59/15"),
        "options": {"expires": 900},
    },
    "audit-ledger": {"task": "mlservice.audit_ledger", "schedule": crontab(hour=3, minute=0)},
    # What a worker that was away missed is not made up for: the next round does it all.
    "tell-low-balances": {
        "task": "billing.tell_low_balances",
        "schedule": 60,
        "options": {"expires": 60},
    },
    # The page on which an account is closed says within the hour.
    "remove-what-leavers-sent": {
        "task": "mlservice.remove_what_leavers_sent",
        "schedule": 300,
        "options": {"expires": 300},
    },
    "send-letters": {"task": "mail.send_letters", "schedule": 30, "options": {"expires": 30}},
    # In turns through the night, for letters go out between them.
    "prune": {
        "task": "mlservice.prune",
        "schedule": crontab(hour="3-5", minute="*/5"),
        "options": {"expires": 300},
    },
    "prune-letters": {"task": "mail.prune_letters", "schedule": crontab(hour=2, minute=45)},
}

# --- Languages and time --------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ru", _("Russian"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True

# --- Static files --------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- Mail, logs and metrics -------------------------------------------------------------

EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=False)
if EMAIL_USE_TLS and EMAIL_USE_SSL:
    raise ImproperlyConfigured("EMAIL_USE_TLS and EMAIL_USE_SSL exclude each other.")
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT_SECONDS", default=10)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="ML Service <noreply@localhost>")

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
LOGGING_CONFIG = "mlservice.lib.logging.configure"
LOG_JSON = env.bool("LOG_JSON") if env.str("LOG_JSON", default="") else not DEBUG
LOGGING = {"level": LOG_LEVEL, "json": LOG_JSON}
# `RequestLog` sees that it is fit to be one.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True

# Without a token there is no /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Where relay and worker nodes answer with it; 0 means nowhere. Web answers on its own port.
METRICS_PORT = int(env.str("METRICS_PORT", default="") or 0)

# --- Admin ---------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "ML Service",
    "SITE_HEADER": "ML Service",
    "SITE_SUBHEADER": _("Operators' desk"),
    "SITE_URL": "/",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("favicon.svg")}
    ],
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "mlservice.site.desk.home",
}
