# One image for every role; the role is the command: web, relay, worker, bulk,
# duties, beat or migrate. The target `models` is its sibling that knows DVC.
ARG BASE=python:3.11-slim-bookworm
# What the packages are installed on, where that is not the base.
ARG BUILDER=${BASE}

FROM ${BUILDER} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Where no package index is within reach: "--no-index --find-links" and a folder of the builder.
ARG PIP_OPTIONS=""
WORKDIR /build
# What installs stays behind: the environment that is copied on has no pip.
RUN python3 -m venv /build/installer && python3 -m venv --without-pip /opt/venv
COPY requirements.txt requirements-local.txt ./
# hadolint ignore=SC2086
RUN installer/bin/pip --python /opt/venv/bin/python \
    install ${PIP_OPTIONS} --requirement requirements.txt

FROM packages AS training-packages
# Older builders forget it with the stage.
ARG PIP_OPTIONS=""
# hadolint ignore=SC2086
RUN installer/bin/pip --python /opt/venv/bin/python \
    install ${PIP_OPTIONS} --constraint requirements-local.txt "dvc[s3]"

FROM ${BASE} AS base
# METRICS_PORT is where every role but web answers Prometheus, if it has METRICS_TOKEN.
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    BIND_HOST=0.0.0.0 \
    PORT=8000 \
    METRICS_PORT=9100 \
    MODEL_STORE_DIR=/tmp/models
# A volume that is mounted at /models takes its owner over.
RUN groupadd --gid 10001 mlservice \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin mlservice \
    && install --directory --owner 10001 --group 10001 /models
WORKDIR /app
ENTRYPOINT ["sh", "deploy/role.sh"]
# Without a name it asks for the role of the container.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s CMD ["python", "deploy/health.py"]

# Trains or pulls the models, pushes them to the remote and publishes them; DVC lives here only.
FROM base AS models
ENV DVC_SITE_CACHE_DIR=/tmp/dvc
COPY --from=training-packages /opt/venv /opt/venv
COPY . .
USER 10001:10001
CMD ["models"]

FROM base AS service
COPY --from=packages /opt/venv /opt/venv
COPY . .
# The values are for this command alone: it reads the settings and asks no server.
RUN sh deploy/compile_translations.sh \
    && SECRET_KEY=unused JWT_SIGNING_KEY=unused-unused-unused-unused-unused-unused \
       DATABASE_URL=postgresql:///unused BROKER_URL=memory:// \
       python manage.py collectstatic --no-input --verbosity 0 \
    && python -m compileall -q /app
USER 10001:10001
EXPOSE 8000 9100
CMD ["web"]
