# GECO as a service: the embedded model behind a REST API and a page, on any CPU.
#   docker build -t geco . && docker run --rm -p 127.0.0.1:8000:8000 --read-only --tmpfs /tmp geco
# docs/containers.md says more. podman and buildah want `--format docker` for the health check.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
# `web,usd,heic,torch` for public models too; gigabytes more
ARG EXTRAS=web,usd,heic
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
# bytecode is written here, since the finished image's root may be read-only
RUN python3 -m venv /opt/geco \
 && /opt/geco/bin/pip install --no-cache-dir -c constraints.txt ".[${EXTRAS}]" \
 && /opt/geco/bin/python -m compileall -q -j 0 /opt/geco/lib \
 && /opt/geco/bin/pip uninstall -q -y pip setuptools

FROM ${BASE}
LABEL org.opencontainers.image.title="GECO" \
      org.opencontainers.image.description="One picture of an object to a textured 3D mesh, on a CPU" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/geco /opt/geco
COPY --chmod=755 container/start /usr/local/bin/geco-serve
# where a volume with the results of jobs may be mounted; a new one takes its owner from here
RUN install -d -o 10001 -g 10001 /jobs
ENV PATH=/opt/geco/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
# a number, so that Kubernetes can see that it is not root; nothing in the image belongs to it
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD ["geco-serve", "--healthy"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["geco-serve"]
