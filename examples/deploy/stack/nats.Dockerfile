# NATS as it is published, with a folder of its own for what it stores: a named volume takes its owner from the image, and
# the server shall not run as root.
ARG NATS=nats:2.12-alpine
FROM ${NATS}
RUN mkdir /data && chown 1000:1000 /data
USER 1000:1000
