# The images of the Dockerfile with programs that were built elsewhere, so that tests need no toolchain in a container.
# Apart from it, as builders without BuildKit make every stage that stands before the one that is asked for.
ARG RUNTIME
FROM ${RUNTIME} AS runtime
USER 65532:65532

# The programs are taken from the folder DIST of the context.
FROM runtime AS wilco
ARG DIST=target/dist
COPY --chown=0:0 ${DIST}/wilco /usr/local/bin/wilco
COPY --chown=65532:65532 ${DIST}/data /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/usr/local/bin/wilco", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/wilco"]
CMD ["help"]

FROM runtime AS newsroom
ARG DIST=target/dist
COPY --chown=0:0 ${DIST}/newsroom /usr/local/bin/newsroom
ENTRYPOINT ["/usr/local/bin/newsroom"]
