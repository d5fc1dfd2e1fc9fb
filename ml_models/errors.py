"""What ml_models refuses."""

from django.utils.translation import gettext_lazy as _

from mlservice.lib.errors import DomainError


def in_words(failure: Exception) -> str:
    """Say what somebody else's code tripped over."""
    return f"{type(failure).__name__}: {failure}"


class ModelNotFound(DomainError):
    status = 404
    code = "model_not_found"
    title = "There is no such model or version"


class VersionRetired(DomainError):
    status = 422
    code = "version_retired"
    title = "This version is retired"


class VersionIsStable(DomainError):
    status = 409
    code = "version_is_stable"
    title = "The stable version cannot be retired"


class VersionIsCandidate(DomainError):
    status = 409
    code = "version_is_candidate"
    title = _("The candidate cannot be retired; take its share away first")


class VersionIsDraft(DomainError):
    status = 409
    code = "version_is_draft"
    title = _("This version is a draft; publish it first")


class VersionNotDraft(DomainError):
    status = 409
    code = "version_not_draft"
    title = _("This version is not a draft")


class VersionAlreadyStable(DomainError):
    status = 409
    code = "version_already_stable"
    title = _("The stable version cannot be a candidate")


class NoCandidate(DomainError):
    status = 409
    code = "no_candidate"
    title = _("This model has no candidate")


class NothingToRollBackTo(DomainError):
    status = 409
    code = "nothing_to_roll_back_to"
    title = _("No version that was stable before can serve now")


class InvalidShare(DomainError):
    status = 400
    code = "invalid_request"
    title = _("A share is a whole number of percent, 1 to 100")


class ExplanationsNotOffered(DomainError):
    status = 422
    code = "explanations_not_offered"
    title = _("This version does not explain its predictions")


class VersionNotBroken(DomainError):
    status = 409
    code = "version_not_broken"
    title = "This version is not broken"


class InvalidPrice(DomainError):
    status = 400
    code = "invalid_request"
    title = "A price is a whole number of credits, at least 1"


class InvalidMultiplier(DomainError):
    status = 400
    code = "invalid_request"
    title = _("An explained row costs 1 to 100 times the price; 0 offers none")


class ReleaseNotBuilt(DomainError):
    status = 404
    code = "release_not_built"
    title = "The pipeline has not built this model"


class VersionBroken(DomainError):
    status = 503
    code = "version_broken"
    title = "This version is broken; the operator must mend it"
    # Nothing mends itself sooner.
    retry_after_seconds = 60


class ArtifactUnavailable(DomainError):
    status = 503
    code = "artifact_unavailable"
    title = "The model's artifact cannot be fetched just now"


class BrokenArtifact(DomainError):
    """An artifact that will not do, however often it is asked for."""

    status = 503


class ArtifactMissing(BrokenArtifact):
    code = "artifact_missing"
    title = "The model's artifact is nowhere"


class ArtifactCorrupt(BrokenArtifact):
    code = "artifact_corrupt"
    title = "The model's artifact is not the one that was published"


class ArtifactIncompatible(BrokenArtifact):
    code = "artifact_incompatible"
    title = "The model's artifact cannot be read by this scikit-learn"


class GoldenRowsDiffer(BrokenArtifact):
    code = "golden_rows_differ"
    title = "The model's artifact does not give what it gave when it was published"


class NotPublishable(DomainError):
    status = 422
    code = "not_publishable"
    title = "This estimator cannot be published with this sample"
