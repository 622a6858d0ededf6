# wilco as a container: one static program on an image without a shell, as a user without rights.
#
#   docker build -t wilco .                        the program, `wilco`
#   docker build -t wilco-newsroom --target newsroom .   the Rust agents of the demo stack
#
# Both base images can be replaced (`--build-arg BUILDER=... --build-arg RUNTIME=...`). The builder has to have a Rust
# toolchain whose default target, or TARGET, is statically linked, and a C compiler for it.
ARG BUILDER=rust:1.95-alpine
ARG RUNTIME=gcr.io/distroless/static-debian12:nonroot

# ---- what every final image has in common
FROM ${RUNTIME} AS runtime
LABEL org.opencontainers.image.title="wilco" \
      org.opencontainers.image.description="Message-bus middleware that traces the handoffs between agents over NATS" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
USER 65532:65532

# ---- the programs, built here
FROM ${BUILDER} AS build
RUN if command -v apk >/dev/null; then apk add --no-cache build-base; fi
WORKDIR /src
ARG TARGET=
ENV CARGO_PROFILE_RELEASE_STRIP=symbols CARGO_NET_RETRY=5
# Dependencies first, in a layer of their own: it stays as long as Cargo.toml and Cargo.lock do.
COPY Cargo.toml Cargo.lock ./
RUN mkdir -p src benches examples /out/data \
    && echo 'fn main() {}' >src/main.rs && echo >src/lib.rs \
    && sed -n 's/^name = "\(.*\)"$/\1/p' Cargo.toml | while read -r name; do \
         echo 'fn main() {}' >"examples/$name.rs"; echo 'fn main() {}' >"benches/$name.rs"; \
       done \
    && cargo build --release --locked --bin wilco --example newsroom ${TARGET:+--target $TARGET}
COPY README.md ./
COPY src ./src
COPY examples ./examples
# What stood in for the sources is older than they are, or not: cargo goes by the time, so it is told.
RUN find src examples -name '*.rs' -exec touch {} + \
    && cargo build --release --locked --bin wilco --example newsroom ${TARGET:+--target $TARGET} \
    && cp target/${TARGET:+$TARGET/}release/wilco target/${TARGET:+$TARGET/}release/examples/newsroom /out/

FROM runtime AS newsroom
COPY --from=build /out/newsroom /usr/local/bin/newsroom
ENTRYPOINT ["/usr/local/bin/newsroom"]

FROM runtime AS wilco
COPY --from=build /out/wilco /usr/local/bin/wilco
COPY --from=build --chown=65532:65532 /out/data /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/usr/local/bin/wilco", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/wilco"]
CMD ["help"]
