#!/bin/sh
# deploy/make-secrets.sh [FOLDER]: makes what docker-compose.yml reads from deploy/secrets, and leaves alone what is there.
set -eu
folder=${1:-$(dirname "$0")/secrets}

# Nobody but the owner reaches the files. Inside they can be read by all, for each service runs as another user.
mkdir -p "$folder"
chmod 0700 "$folder"
umask 022

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
make() { [ -e "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"; }

make token-secret "$(random)"
make internal-token "$(random)"
if [ ! -e "$folder/redis.conf" ] || [ ! -e "$folder/bus-url" ]; then
  password=$(random)
  # It holds only what may be lost: no file is kept, and what has no room is refused.
  printf '%s\n' "requirepass $password" 'save ""' 'appendonly no' 'maxmemory 192mb' 'maxmemory-policy noeviction' \
    >"$folder/redis.conf"
  printf '%s\n' "redis://default:$password@redis:6379/0" >"$folder/bus-url"
fi

# Your own: certificate, what signed it, and the key, one after the other in tls.pem.
if [ ! -e "$folder/tls.pem" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 \
    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
    -keyout "$folder/tls.key" -out "$folder/tls.crt" 2>/dev/null
  cat "$folder/tls.crt" "$folder/tls.key" >"$folder/tls.pem"
  rm "$folder/tls.key"
fi
