"""The duties of mail: sending what waits, and forgetting what was sent long ago."""

from celery import shared_task

from mlservice.lib.mail import outbox


# Its limit ends before a lease does, whatever a slow server makes of the run.
@shared_task(name="mail.send_letters", time_limit=240, soft_time_limit=230)
def send_letters() -> None:
    """Send the letters that are due."""
    outbox.send_letters()


@shared_task(name="mail.prune_letters", time_limit=300, soft_time_limit=290)
def prune_letters() -> None:
    """Delete letters that were sent long ago."""
    outbox.prune_letters()
