"""Addresses of the pages that belong to no single app."""

from django.urls import path

from mlservice.site import leaving, model_page, styleguide, theme, views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("dashboard", views.dashboard, name="dashboard"),
    path("theme", theme.switch_theme, name="set_theme"),
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    path("models/<slug:slug>", model_page.model, name="model"),
    path("profile/data", leaving.data, name="own_data"),
    path("profile/close", leaving.close, name="close_account"),
]
