# ATUM Desk. Logic lives in image/build/*.sh; the order here is the order of change, rarest first.
ARG BASE=debian:trixie-slim

FROM ${BASE} AS base
SHELL ["/bin/sh", "-eu", "-c"]
RUN --mount=type=bind,source=image/build/users.sh,target=/users.sh sh /users.sh
RUN --mount=type=bind,source=image/build/packages.sh,target=/packages.sh \
    --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    sh /packages.sh

# pip and what it needs stay here.
FROM base AS wheels
RUN --mount=type=bind,source=image/build/wheels.sh,target=/wheels.sh \
    --mount=type=bind,source=requirements.lock,target=/requirements.lock \
    --mount=type=cache,target=/var/cache/apt,sharing=locked --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    --mount=type=cache,target=/root/.cache/pip \
    sh /wheels.sh /requirements.lock

FROM base AS pruned
RUN --mount=type=bind,source=image/build/prune.sh,target=/prune.sh sh /prune.sh

# The desk's own code, compiled where the compiler's leavings don't count.
FROM wheels AS code
COPY app /opt/atum/app
COPY conf /opt/atum/conf
COPY image /opt/atum/image
RUN --mount=type=bind,source=image/build/code.sh,target=/code.sh sh /code.sh

# From nothing, so that what the stages before deleted is not carried along in a layer underneath.
FROM scratch
# hadolint ignore=DL3067
COPY --from=pruned / /
COPY --from=wheels /opt/venv /opt/venv
COPY --from=code /opt/atum /opt/atum
COPY image/atum /usr/local/bin/atum
COPY LICENSE /opt/atum/LICENSE

ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/atum \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LANG=C.UTF-8 \
    PROMETHEUS_MULTIPROC_DIR=/run/atum/app/metrics \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt

# 25 is listened on where SMTP_IN is on; the high ones in a container that was given a user of its own.
EXPOSE 25 80 443 2525 8080 8443
VOLUME /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --start-period=10m --start-interval=1s --timeout=5s --retries=3 \
    CMD ["/opt/atum/image/healthcheck"]
ENTRYPOINT ["/usr/bin/tini", "--", "/opt/atum/image/launcher"]

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ATUM Desk" \
      org.opencontainers.image.description="A help desk in one container: mail in, tickets, promises kept to the second, answers out" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
