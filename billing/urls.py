"""Addresses of the pages about money."""

from django.urls import path

from billing import views

urlpatterns = [
    path("wallet", views.wallet, name="wallet"),
    path("wallet/top-up", views.top_up, name="top_up"),
    path("wallet/statements/<str:month>", views.wallet_statement, name="statement"),
    path("wallet/cap", views.cap, name="spending_cap"),
]
