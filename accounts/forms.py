"""What people type about themselves."""

from itertools import groupby
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.password_validation import password_validators_help_text_html
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import User

Zones = list[tuple[str, str | list[tuple[str, str]]]]


def time_zones() -> Zones:
    """List UTC, and the zones that are named by region and city, under their regions."""
    named = sorted(zone for zone in available_timezones() if "/" in zone and zone[:4] != "Etc/")
    regions = groupby(named, key=lambda zone: zone.split("/")[0])
    return [
        ("UTC", "UTC"),
        *((region, [_city(zone) for zone in zones]) for region, zones in regions),
    ]


def _city(zone: str) -> tuple[str, str]:
    """Name a zone by what follows its region, so that typing a city finds it in the list."""
    return zone, zone.split("/", 1)[1].replace("_", " ")


class NewPasswordField(forms.CharField):
    """A password to be; what is weak is refused by the service."""

    def __init__(self, label: Any) -> None:
        super().__init__(
            label=label,
            strip=False,
            max_length=128,
            widget=forms.PasswordInput({"autocomplete": "new-password"}),
            help_text=password_validators_help_text_html(),
        )


class OwnPasswordForm(forms.Form):
    """Asks who is signed in for the password again; guesses count as at signing in."""

    current_password = forms.CharField(
        label=_("Your current password"),
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_current_password(self) -> str:
        password: str = self.cleaned_data["current_password"]
        name = self.request.user.get_username()
        if authenticate(self.request, username=name, password=password) != self.request.user:
            raise forms.ValidationError(_("This is not your password."))
        return password


class SignInForm(AuthenticationForm):
    """Django's own, in the words of the other forms."""

    username = UsernameField(label=_("User name"), widget=forms.TextInput({"autofocus": True}))


class SignUpForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput({"autocomplete": "username", "autofocus": True}),
    )
    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput({"autocomplete": "email"}))
    password = NewPasswordField(_("Password"))


class ProfileForm(forms.Form):
    first_name = forms.CharField(
        label=_("First name"),
        max_length=150,
        required=False,
        widget=forms.TextInput({"autocomplete": "given-name"}),
    )
    last_name = forms.CharField(
        label=_("Last name"),
        max_length=150,
        required=False,
        widget=forms.TextInput({"autocomplete": "family-name"}),
    )
    language = forms.ChoiceField(
        label=_("Language"),
        choices=User.Language.choices,
        help_text=_("Of these pages and of what we write to you."),
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=time_zones,
        help_text=_("Dates and times on the pages are shown in it."),
    )


class EmailForm(OwnPasswordForm):
    """A new address; it replaces the old one when its link is used."""

    title = _("Change the e-mail")
    explanation = _("We write to the new address. It replaces the old one once you open the link.")
    button = _("Send the link")
    email = forms.EmailField(
        label=_("New e-mail"), widget=forms.EmailInput({"autocomplete": "email"})
    )
    field_order = ("email", "current_password")


class PasswordForm(OwnPasswordForm):
    title = _("Change the password")
    explanation = _("You stay signed in here. Every other browser and every token is signed out.")
    button = _("Change the password")
    password = NewPasswordField(_("New password"))


class ForgottenForm(forms.Form):
    title = _("Forgotten password")
    explanation = _("We write to this address how to set a new password.")
    button = _("Send the link")
    email = forms.EmailField(
        label=_("E-mail"), widget=forms.EmailInput({"autocomplete": "email", "autofocus": True})
    )


class ResetForm(forms.Form):
    title = _("Set a new password")
    explanation = _("Every browser and every token is signed out.")
    button = _("Set the password")
    password = NewPasswordField(_("New password"))


class ClosingForm(OwnPasswordForm):
    """Agrees to lose the credits that were shown; another amount is asked for again."""

    credits_lost = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    agreed = forms.BooleanField()
    field_order = ("agreed", "current_password")

    def __init__(self, request: HttpRequest, *args: Any, agreement: str, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["agreed"].label = agreement
