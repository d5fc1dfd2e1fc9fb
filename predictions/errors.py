"""What predictions refuse."""

from mlservice.lib.errors import DomainError


class InvalidFeatures(DomainError):
    status = 422
    code = "invalid_features"
    title = "No row can be predicted"


class TooManyRows(DomainError):
    status = 413
    code = "payload_too_large"
    title = "Too many rows"


class QueueFull(DomainError):
    status = 503
    code = "queue_full"
    title = "The service is busy"
    retry_after_seconds = 5


class AlreadyFinished(DomainError):
    status = 409
    code = "already_finished"
    title = "This prediction is finished already"


class AlreadyDiscarded(DomainError):
    status = 409
    code = "already_discarded"
    title = "This dead letter was discarded already"


class AccountDisabled(DomainError):
    status = 403
    code = "forbidden"
    title = "This account is disabled"
