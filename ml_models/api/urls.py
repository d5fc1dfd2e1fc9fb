"""Where models answer under /api/v1/."""

from django.urls import path

from ml_models.api import views

urlpatterns = [
    path("models", views.ModelListView.as_view(), name="api_models"),
    path("models/<slug:slug>", views.VersionView.as_view(), name="api_model"),
    path(
        "models/<slug:slug>/versions/<int:number>",
        views.VersionView.as_view(),
        name="api_model_version",
    ),
]
