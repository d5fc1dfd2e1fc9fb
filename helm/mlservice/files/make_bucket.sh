#!/bin/sh
# Makes the bucket, and a key that opens no other one and deletes nothing; again changes nothing.
set -eu

until mc ready store --quiet; do sleep 2; done
mc mb --ignore-existing "store/$S3_BUCKET"
printf '%s\n%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" | mc admin user add store
mc admin policy create store models /scripts/models.json
mc admin policy attach store models --user "$AWS_ACCESS_KEY_ID" ||
  mc admin user info store "$AWS_ACCESS_KEY_ID"
