#!/bin/sh
# Builds images with any docker, the two bases first: `sh docker/build.sh` for all of them, or the names of some.
#   DOCKER      the program, such as podman            TORCH       cuda or cpu: see docker/train/Dockerfile
#   REGISTRY    comes before `whetstone/`, with `/`    FOUNDATION  what `serve` stands on, if not its own default
#   BUILD_ARGS  more words for `docker build`          PUSH        not empty: push each image too
set -eu
cd "$(dirname "$0")/.."
DOCKER=${DOCKER:-docker}
TORCH=${TORCH:-cuda}
PREFIX=${REGISTRY:+${REGISTRY%/}/}
VERSION=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' components/contracts/images.py)

build() {
    tag=${PREFIX}whetstone/$1:$VERSION
    base=$(sed -n 's/^ARG BASE=//p' "docker/$1/Dockerfile")
    case $base in
        whetstone/*) base=$PREFIX${base%:*}:$VERSION ;;
        *) base=${FOUNDATION:-$base} ;;
    esac
    set -- --build-arg "BASE=$base" --file "docker/$1/Dockerfile" --tag "$tag"
    case $tag in
        */serve:*) set -- "$@" --build-arg "VERSION=$VERSION" ;;
        */train:*) set -- "$@" --build-arg "TORCH=$TORCH" ;;
    esac
    echo "== $tag on $base"
    # shellcheck disable=SC2086 - a list of words
    "$DOCKER" build ${BUILD_ARGS:-} "$@" .
    if [ -n "${PUSH:-}" ]; then "$DOCKER" push "$tag"; fi
}

if [ $# = 0 ]; then
    set -- serve train
    for file in docker/*/Dockerfile; do
        name=$(basename "$(dirname "$file")")
        case $name in serve | train) ;; *) set -- "$@" "$name" ;; esac
    done
fi
for name; do
    build "$name"
done
