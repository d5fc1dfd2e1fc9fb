"""Addresses of the pages about people."""

from django.urls import path

from accounts import email_views, password_views, views

urlpatterns = [
    path("sign-up", views.sign_up, name="sign_up"),
    path("sign-in", views.sign_in, name="sign_in"),
    path("sign-out", views.sign_out, name="sign_out"),
    path("language", views.switch_language, name="set_language"),
    path("profile", views.profile, name="profile"),
    path("profile/sign-out-everywhere", views.sign_out_of_all, name="sign_out_everywhere"),
    path("profile/password", password_views.password, name="password"),
    path("profile/email", email_views.email, name="email"),
    path("profile/email/send", email_views.send_confirmation, name="send_confirmation"),
    path("confirm/<str:token>", email_views.confirm, name="confirm_email"),
    path("password", password_views.forgotten_password, name="forgotten_password"),
    path("password/<str:uid>/<str:token>", password_views.reset, name="reset_password"),
]
