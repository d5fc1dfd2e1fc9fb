"""The only place that closes an account: the books stay, the person goes."""

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Model, Q

from accounts import letters
from accounts.errors import AlreadyClosed, OperatorsStay
from accounts.models import User
from billing.closing import close_wallet
from billing.models import Wallet
from billing.services import wallet_of
from mlservice.lib.ids import new_id
from mlservice.lib.mail.outbox import forget_letters


def close_account(*, user_id: int, credits_lost: int) -> None:
    """Remove the credits that the user gives up, end all access and forget who it was.

    Raise OperatorsStay, AlreadyClosed, or what the wallet refuses; nothing is changed then.
    """
    wallet_id = wallet_of(user_id).pk
    with transaction.atomic():
        close_wallet(wallet_id=wallet_id, credits_lost=credits_lost, actor_id=user_id)
        user = User.objects.select_for_update().get(pk=user_id)
        check_may_close(user)
        forget_letters(recipient=user.email)
        letters.tell_account_closed(user)
        forget_sign_ins(user.username)
        anonymise(user)
        rename_history(User, user.pk, user.username)
        rename_history(Wallet, wallet_id, user.username)


def check_may_close(user: User) -> None:
    """Raise OperatorsStay or AlreadyClosed when this is nobody's to close."""
    if user.is_staff or user.is_superuser:
        raise OperatorsStay
    if not user.is_active:
        raise AlreadyClosed


def anonymise(user: User) -> None:
    """Overwrite what says who it was; nobody signs in to what is left."""
    user.username = free_name(user.pk)
    user.email = f"{user.username}@closed.invalid"
    user.first_name = user.last_name = ""
    user.language, user.time_zone = User.Language.ENGLISH, "UTC"
    user.last_login = user.email_confirmed_at = None
    user.set_unusable_password()
    user.is_active = False
    user.sign_outs += 1
    user.has_data_to_remove = True
    user.save()


def free_name(user_id: int) -> str:
    """Give `closed-<id>`, or a longer name when somebody else calls themselves so."""
    name = f"closed-{user_id}"
    taken = Q(username__iexact=name) | Q(email__iexact=f"{name}@closed.invalid")
    return f"{name}-{new_id().hex}" if User.objects.filter(taken).exists() else name


def leavers_with_data() -> list[int]:
    """Give the ids of closed accounts of which what was sent is still there, oldest first."""
    leavers = User.objects.filter(has_data_to_remove=True)
    return list(leavers.order_by("pk").values_list("pk", flat=True))


def note_data_removed(*, user_id: int) -> None:
    User.objects.filter(pk=user_id).update(has_data_to_remove=False)


def rename_history(model: type[Model], pk: int, name: str) -> None:
    """Let the operators' history show an object by another name, whatever it was called before."""
    kind = ContentType.objects.get_for_model(model)
    LogEntry.objects.filter(content_type=kind, object_id=str(pk)).update(object_repr=name)


def forget_sign_ins(username: str) -> None:
    """Delete the notes on when and from where somebody of this name signed in."""
    for notes in (AccessAttempt, AccessFailureLog, AccessLog):
        notes.objects.filter(username__iexact=username).delete()
