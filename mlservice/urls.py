"""Every address of the service in one view."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from mlservice.lib import health, problems
from mlservice.metrics import metrics

# What is asked most stands first: an address is compared with all that stand before it.
api_v1 = [
    path("", include("predictions.api.urls")),
    path("", include("billing.api.urls")),
    path("", include("ml_models.api.urls")),
    path("", include("accounts.api.urls")),
]

handler500 = problems.server_error

urlpatterns = [
    path("api/v1/", include(api_v1)),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="api_schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api_schema"), name="api_docs"),
    path("admin/", admin.site.urls),
    path("", include("mlservice.site.urls")),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    path("", include("predictions.urls")),
]
