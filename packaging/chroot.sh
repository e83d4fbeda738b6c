# shellcheck shell=bash
# shellcheck disable=SC2154 # work is of tests/lib.sh
# A fresh Debian for packaging/*-test, which are run as root and have read tests/lib.sh before.

command -v debootstrap >/dev/null || { echo "debootstrap is missing" >&2; exit 77; }
[ "$(id -u)" = 0 ] || { echo "a chroot needs root" >&2; exit 77; }

# fresh SUITE: sets `root`, where nothing but a small Debian of this suite is. What Debian itself has is kept in build; each run
# works in a copy of its own.
fresh() {
  local base=build/debian-base-$1.tar mirror
  if [ ! -e "$base" ]; then
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
    debootstrap --variant=minbase "$1" "$work/base" "$mirror" >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
    tar -C "$work/base" --one-file-system -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$work/base"
  fi
  left
  root=$work/root
  mkdir "$root"
  tar -C "$root" -xf "$base"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  # A mirror may be older than its suite allows.
  echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/mirror"
  rm -f "$root/etc/dpkg/dpkg.cfg.d/"* # those of containers leave manual pages out
  mount -t proc proc "$root/proc"
  trap 'left; cleanup' EXIT
}

# What `fresh` made is taken away.
left() {
  [ -n "${root:-}" ] || return 0
  umount "$root/proc"
  rm -rf "$root"
  root=
}

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive ${http_proxy:+"http_proxy=$http_proxy"} "$@"; }
installs() { inside sh -c "apt-get -qq update && apt-get -qq -y --no-install-recommends install $*"; }
