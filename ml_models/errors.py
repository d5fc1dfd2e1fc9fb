"""What ml_models refuses."""

from mlservice.lib.errors import DomainError


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


class InvalidPrice(DomainError):
    status = 400
    code = "invalid_request"
    title = "A price is a whole number of credits, at least 1"


class ReleaseNotBuilt(DomainError):
    status = 404
    code = "release_not_built"
    title = "The pipeline has not built this model"


class ArtifactMissing(DomainError):
    status = 503
    code = "artifact_missing"
    title = "The model's artifact cannot be fetched"


class ArtifactCorrupt(DomainError):
    status = 503
    code = "artifact_corrupt"
    title = "The model's artifact is not the one that was published"


class ArtifactIncompatible(DomainError):
    status = 503
    code = "artifact_incompatible"
    title = "The model's artifact needs another scikit-learn"
