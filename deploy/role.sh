#!/bin/sh
# The only place that says which process each role of the image is: role.sh <role | command>
set -eu

# worker_ <queues> <name of the node> <children>
worker_() {
  celery_ worker --queues "$1" --hostname "$2@%h" --concurrency "$3" --without-gossip --without-mingle
}
# By itself it would take BROKER_URL as it stands, before the settings put the password in.
celery_() { exec celery --broker= --app mlservice "$@"; }

# For the image's health check, which is asked of every role. Nothing else needs the folder.
printf %s "${1:-web}" 2>/dev/null >/tmp/role || :

case "${1:-web}" in
  web) exec gunicorn --config mlservice/gunicorn.py ;;
  relay) exec python manage.py run_relay ;;
  worker) worker_ "${WORKER_QUEUES:-predictions,bulk}" worker "${WORKER_CONCURRENCY:-$(nproc)}" ;;
  bulk) worker_ bulk worker "${WORKER_CONCURRENCY:-$(nproc)}" ;;
  duties) worker_ duties duties 1 ;;
  # It looks at the clock often, so that its health can be told from its turning.
  beat) celery_ beat --schedule /tmp/beat-schedule --pidfile= --max-interval 5 ;;
  migrate) exec python manage.py prepare_database ;;
  wait_for) exec python manage.py "$@" ;;
  models)
    # DVC writes beside what it reads, and the image's own files cannot be written.
    cp -R . /tmp/checkout
    cd /tmp/checkout
    python scripts/obtain_models.py
    dvc push --quiet --remote s3_mlops ml_models/dvc.yaml
    exec python manage.py publish_model --all
    ;;
  *) exec "$@" ;;
esac
