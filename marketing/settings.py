"""One settings file, read top to bottom. Every value that may differ comes from the environment."""

import contextlib
import hashlib
import os
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import environ
from celery.schedules import schedule
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _
from kombu import Queue

from marketing import pipeline

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- where things live -------------------------------------------------------------------------
# Everything the platform writes stands under VAR_DIR; nothing outside the checkout is touched.
VAR_DIR = Path(env.str("PERENNIAL_VAR", default=str(BASE_DIR / "var"))).absolute()
MEDIA_ROOT = VAR_DIR / "uploads"
MODEL_DIR = Path(env.str("MODEL_DIR", default=str(VAR_DIR / "models")))
MAIL_DIR = VAR_DIR / "mail"
# Up to when senders have seen the database: it tells a restored backup from the database itself.
SENDING_SEEN = VAR_DIR / "sending.seen"
# A copy for trials: whatever it holds, nothing is sent.
SENDING_HELD = env.bool("SENDING_HELD", default=False)
BUSINESS_NAME = env.str("BUSINESS_NAME", default="My shop")
DEFAULT_CURRENCY = env.str("DEFAULT_CURRENCY", default="GBP")
# Names that stand for nobody, beside the well-known ones such as "null"; and how many people may
# claim one name, how many anonymous ids one person, and how many customer numbers one alias joins,
# before a name joins nobody any more.
IDENTITY_PLACEHOLDERS = frozenset(
    text.casefold() for text in env.list("IDENTITY_PLACEHOLDERS", default=[])
)
IDENTITY_MAX_OWNERS = env.int("IDENTITY_MAX_OWNERS", default=25)
IDENTITY_MAX_NAMES = env.int("IDENTITY_MAX_NAMES", default=50_000)
IDENTITY_MAX_ALIASES = env.int("IDENTITY_MAX_ALIASES", default=50)

# --- security ----------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)


def _secret_key() -> str:
    """The key from SECRET_KEY, or one generated once for this checkout and kept at mode 0600."""
    if key := env.str("SECRET_KEY", default=""):
        if len(key) < 50:
            raise ImproperlyConfigured("SECRET_KEY is too short: give at least 50 characters.")
        if key.startswith("django-insecure-") or len(set(key)) < 10:
            raise ImproperlyConfigured("SECRET_KEY can be guessed: give one made by chance.")
        return key
    path = VAR_DIR / "secret_key"
    if not path.exists():
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(os.urandom(48).hex())
        # The first of two racing processes wins, and both read the same key.
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
        scratch.unlink()
    return path.read_text()


SECRET_KEY = _secret_key()
# Keys used before; they open what they sealed and signed until everything was renewed.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Erased people stay suppressed by a keyed hash of their address. To change SECRET_KEY and keep that
# list working, name the old hash key here (`manage.py suppression_key` prints it).
SUPPRESSION_KEY = (
    bytes.fromhex(key)
    if (key := env.str("SUPPRESSION_KEY", default=""))
    else hashlib.blake2b(SECRET_KEY.encode(), digest_size=32, person=b"suppression").digest()
)
# Behind the chain over the audit trail; `manage.py audit --key` prints it. The first one seals.
AUDIT_KEYS = [
    *([bytes.fromhex(key)] if (key := env.str("AUDIT_KEY", default="")) else []),
    *(
        hashlib.blake2b(key.encode(), digest_size=32, person=b"audit").digest()
        for key in (SECRET_KEY, *SECRET_KEY_FALLBACKS)
    ),
]
# Roles whose people must set up a second factor before they see anything else, e.g. "admin".
SECOND_FACTOR_FOR = frozenset(env.list("SECOND_FACTOR_FOR", default=[]))
# More people than this in one download ask for the password again; and how many one account, or
# one API key, may take in a day.
DOWNLOAD_LARGE = env.int("DOWNLOAD_LARGE", default=10_000)
DOWNLOAD_DAILY = env.int("DOWNLOAD_DAILY", default=2_000_000)
# The address people type, e.g. https://marketing.example.org; it decides whether cookies need TLS.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{env.str('PORT', default='8000')}")
# Where the shop itself is, for `shop_url` in messages.
SHOP_URL = env.str("SHOP_URL", default="") or PUBLIC_URL
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
_TLS = PUBLIC_URL.startswith("https://")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _TLS
# Such a name is taken from this host alone: no other host of the domain can set it.
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = (
    ("__Host-sessionid", "__Host-csrftoken") if _TLS else ("sessionid", "csrftoken")
)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = _TLS and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_HSTS_SECONDS = 31_536_000 if _TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _TLS
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
# Without TLS on this machine's own address these four checks cannot be met; with https they are on.
SILENCED_SYSTEM_CHECKS = (
    [] if _TLS else ["security.W004", "security.W008", "security.W012", "security.W016"]
)
SILENCED_SYSTEM_CHECKS += ["security.W019"]  # our own mail previews are framed on the same origin

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# What the platform may call: public addresses on these ports. OUTBOUND_ALLOW names what else, as
# host, host:port, address or network, e.g. "shop-db.internal:5432,10.20.0.0/16".
OUTBOUND_ALLOW = env.list("OUTBOUND_ALLOW", default=[])
OUTBOUND_PORTS = [int(port) for port in env.list("OUTBOUND_PORTS", default=["80", "443", "8443"])]
# Name servers for checks of domains, as host:port; left out, those of this machine are asked.
DNS_SERVERS = env.list("DNS_SERVERS", default=[])
# Folders of this machine that a folder or file source may read.
CONNECTOR_FOLDERS = env.list("CONNECTOR_FOLDERS", default=[str(VAR_DIR / "inbox")])

# --- applications ------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "csp",
    "django_cotton",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "marketing.core",
    "ingestion",
    "models_ml",
    "recommendations",
    "campaigns",
    "marketing",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # vendored files come compressed already
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "marketing.core.middleware.NoZeroBytes",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "marketing.core.sessions.Idle",
    "marketing.core.factors.Gate",
    "marketing.core.middleware.PersonalSettings",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "marketing.urls"
WSGI_APPLICATION = "marketing.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "marketing.core.context.shell",
            ],
        },
    }
]
COTTON_DIR = "cotton"

# --- database ----------------------------------------------------------------------------------
# DATABASE_URL names a server of one's own. Without it the embedded server's address is read from
# VAR_DIR, where `manage.py up` writes it.


def _url(variable: str, file: str) -> str:
    if url := env.str(variable, default=""):
        return url
    path = VAR_DIR / file
    return path.read_text().strip() if path.exists() else ""


DATABASE_URL = (
    _url("DATABASE_URL", "postgres.url") or "postgres://perennial@127.0.0.1:5432/perennial"
)
REDIS_URL = _url("REDIS_URL", "valkey.url") or "redis://127.0.0.1:6379/0"
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
_POSTGRES_OPTIONS = " ".join(
    f"-c {name}={value}"
    for name, value in {
        "statement_timeout": env.int("STATEMENT_TIMEOUT_MS", default=30_000),
        "lock_timeout": 5_000,
        "idle_in_transaction_session_timeout": 60_000,
        # HMAC's two padded keys, for the SQL function ingestion_digest: known to sessions alone,
        # so that neither a query's text nor a dump of the database holds the key.
        "perennial.inner": bytes(b ^ 0x36 for b in SUPPRESSION_KEY.ljust(64, b"\0")).hex(),
        "perennial.outer": bytes(b ^ 0x5C for b in SUPPRESSION_KEY.ljust(64, b"\0")).hex(),
    }.items()
)
DATABASES["default"].update(
    CONN_MAX_AGE=600,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={
        **DATABASES["default"].get("OPTIONS", {}),
        "connect_timeout": 5,
        "options": _POSTGRES_OPTIONS,
    },
)
# Megabytes of work_mem of statements over everybody; 0: as PostgreSQL's own settings suggest.
SWEEP_MEMORY_MB = env.int("SWEEP_MEMORY_MB", default=0)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people ------------------------------------------------------------------------------------
AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["marketing.core.factors.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CSRF_FAILURE_VIEW = "marketing.pages.csrf_refused"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
# How long somebody stays signed in who does nothing, and at most, whatever they do.
SESSION_IDLE = timedelta(hours=env.float("SESSION_IDLE_HOURS", default=12.0))
SESSION_COOKIE_AGE = 86_400 * env.int("SESSION_DAYS", default=14)
if SESSION_IDLE.total_seconds() < 300 or SESSION_COOKIE_AGE <= 0:
    raise ImproperlyConfigured(
        "SESSION_IDLE_HOURS must be 0.1 or more, and SESSION_DAYS 1 or more."
    )

# --- languages and time ------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = USE_TZ = True

# --- static files ------------------------------------------------------------------------------
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str("STATICFILES_STORAGE", default="marketing.core.static.VersionedStatic")
    },
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 31_536_000  # every address carries the version of its file
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
FILE_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
# Half-received files stay inside the installation too.
FILE_UPLOAD_TEMP_DIR = MEDIA_ROOT
MEDIA_ROOT.mkdir(parents=True, exist_ok=True)
# How long a message id is remembered; at least 35 days whatever is asked for.
EVENT_ID_DAYS = env.int("EVENT_ID_DAYS", default=60)
# Whether proof of consent keeps the network (never the address) and the browser's family.
CONSENT_PROOF_NETWORK = env.bool("CONSENT_PROOF_NETWORK", default=False)
UPLOAD_LIMIT_BYTES = env.int("UPLOAD_LIMIT_BYTES", default=4_294_967_296)
# How long an imported file is kept, so that cleaning can run on it again.
IMPORT_RAW_DAYS = env.int("IMPORT_RAW_DAYS", default=90)

# --- API ---------------------------------------------------------------------------------------
API_BODY_LIMIT_BYTES = 2_000_000
TRACKING_RATE = env.int("TRACKING_RATE", default=1_000)  # requests a second, source and process
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "marketing.core.auth.KeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["marketing.core.auth.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["marketing.core.auth.KeyThrottle"],
    "DEFAULT_THROTTLE_RATES": {"key": env.str("API_RATE", default="6000/min")},
    "DEFAULT_PARSER_CLASSES": ["marketing.core.formats.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["marketing.core.formats.FastJSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "marketing.core.api.Cursor",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "marketing.core.api.answer_error",
    "UNAUTHENTICATED_USER": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "ENUM_NAME_OVERRIDES": {
        "JourneyStateEnum": "campaigns.models.journeys.Journey.State",
        "JourneyVersionStateEnum": "campaigns.models.journeys.JourneyVersion.State",
        "PrivacyKindEnum": "ingestion.models.privacy.PrivacyRequest.Kind",
        "OfferPlanKindEnum": "recommendations.models.OfferPlan.Kind",
        "PlacementKindEnum": "recommendations.models.Placement.Kind",
        "PredictionKindEnum": "models_ml.models.predictions.Prediction.Kind",
        "ChannelKindEnum": "campaigns.models.channels.Channel.Kind",
        "SuppressionGivenEnum": "ingestion.privacy.suppressions.GIVEN",
        "PredictionStateEnum": "models_ml.models.predictions.Prediction.State",
        "TrialModeEnum": "campaigns.models.experiments.Trial.Mode",
        "TrialMetricEnum": "campaigns.models.experiments.Trial.Metric",
    },
    "TITLE": "Perennial API",
    "DESCRIPTION": "Customers, events, segments, recommendations and campaigns of one business.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "ingestion.api.deliveries.describe",
        "marketing.core.schema.add_errors",
        "marketing.core.schema.show_pages",
        "marketing.core.schema.tell_limits",
        "marketing.core.schema.name_shapes",
    ],
}

# --- cache, queues and the clock ---------------------------------------------------------------
# Two installations that share a server are told apart by it, in queues and in what is cached.
QUEUE_PREFIX = env.str("QUEUE_PREFIX", default="perennial:")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": QUEUE_PREFIX.rstrip(":"),
    }
}
PIPELINE: ModuleType = pipeline
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "retry_on_timeout": True,
    "global_keyprefix": QUEUE_PREFIX,
}
# Of whoever only puts something there, a request above all: sweeps find what is not there.
QUEUE_PATIENCE = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry_on_timeout": False}
CELERY_VISIBILITY_TIMEOUT = 300
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_SOFT_TIME_LIMIT = 200
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000
CELERY_WORKER_ETA_TASK_LIMIT = 100
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 3,
    "interval_start": 0,
    "interval_step": 0.2,
    "interval_max": 0.5,
}
CELERY_TASK_QUEUES = [Queue(name) for name in pipeline.QUEUES]
CELERY_TASK_DEFAULT_QUEUE = "fast"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    task: {
        "task": task,
        "schedule": schedule(seconds),
        "options": {"queue": queue, "expires": seconds * 2},
    }
    for task, (seconds, queue) in pipeline.EVERY.items()
}
CELERY_BEAT_CRON_STARTING_DEADLINE = 300

# --- mail --------------------------------------------------------------------------------------
# EMAIL_PORT 2525 is the demo's own mail catcher; real sending starts by naming a real server.
EMAIL_HOST = env.str("EMAIL_HOST", default="127.0.0.1")
EMAIL_PORT = env.int("EMAIL_PORT", default=2525)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_TIMEOUT = 30
# A scheduled campaign that is later than this many hours waits for a person.
LATE_HOURS = env.float("LATE_HOURS", default=6.0)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="hello@shop.example.com")

# --- logs --------------------------------------------------------------------------------------
# `line` for people, `json` for a collector of logs.
LOG_FORMATS = {"line": "marketing.core.logs.Plain", "json": "marketing.core.logs.Json"}
if (_log_format := env.str("LOG_FORMAT", default="line")) not in LOG_FORMATS:
    raise ImproperlyConfigured(f"LOG_FORMAT={_log_format} is none of: {', '.join(LOG_FORMATS)}.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"chosen": {"()": LOG_FORMATS[_log_format]}},
    "handlers": {"console": {"class": "marketing.core.logs.Forgiving", "formatter": "chosen"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"django.request": {"level": "ERROR"}, "kombu": {"level": "WARNING"}},
}
