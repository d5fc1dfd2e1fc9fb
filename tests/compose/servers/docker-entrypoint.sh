#!/bin/bash
# Does what the entrypoints of the real images do, as far as docker-compose.yml relies on it.
set -euo pipefail

data=/var/lib/postgresql/data

new_cluster() {
  initdb --pgdata $data --username "$POSTGRES_USER" --pwfile "$POSTGRES_PASSWORD_FILE" \
    --encoding UTF8 --auth-local trust --auth-host scram-sha-256
  echo "host all all all scram-sha-256" >>$data/pg_hba.conf
  pg_ctl -D $data -w -o "-c listen_addresses=''" start
  createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*.sh; do sh "$script"; done
  pg_ctl -D $data -m fast -w stop
}

# What Debian's nginx is too old for: upstreams resolved anew, and `http2` as a word of its own.
nginx_configuration() {
  local file
  for file in conf.d/default.conf service.conf upstream.conf; do
    sed -e '/^upstream/,/^}/d' -e 's#proxy_pass http://web;#set $web web:8000; proxy_pass http://$web;#' \
      -e '/http2 on;/d' -e 's#/etc/nginx/#/tmp/#' "/etc/nginx/$file" >"/tmp/${file##*/}"
  done
  printf 'pid /tmp/pid; error_log stderr; daemon off; events {}\nhttp {\n' >/tmp/nginx.conf
  for file in client_body proxy fastcgi uwsgi scgi; do
    printf '%s_temp_path /tmp/%s;\n' $file $file >>/tmp/nginx.conf
  done
  printf 'include /tmp/default.conf;\n}\n' >>/tmp/nginx.conf
}

case "$1" in
  postgres)
    PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
    [ -s $data/PG_VERSION ] || new_cluster
    exec postgres -D $data -c 'listen_addresses=*' "${@:2}"
    ;;
  rabbitmq-server) exec /usr/lib/rabbitmq/bin/rabbitmq-server ;;
  server)
    exec rclone serve s3 --auth-key "mlservice,$(cat /run/secrets/s3_secret_key)" --addr :9000 \
      --vfs-cache-mode off --config /dev/null "$2"
    ;;
  nginx)
    nginx_configuration
    exec nginx -c /tmp/nginx.conf
    ;;
esac
