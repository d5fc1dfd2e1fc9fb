"""What billing refuses."""

from mlservice.lib.errors import DomainError


class InsufficientCredits(DomainError):
    status = 402
    code = "insufficient_credits"
    title = "Not enough credits"


class InvalidAmount(DomainError):
    status = 400
    code = "invalid_request"
    title = "The amount is not valid"


class ProviderUnknown(DomainError):
    status = 400
    code = "invalid_request"
    title = "There is no such top-up provider"


class TopUpAlreadyResolved(DomainError):
    status = 409
    code = "already_finished"
    title = "This top-up is resolved already"


class NotSignedIn(DomainError):
    status = 401
    code = "unauthenticated"
    title = "Sign in first: nobody has no wallet"
