# An image with one static binary in it, for linux/amd64 and linux/arm64. Only
# features that every builder has, so that `DOCKER_BUILDKIT=0` works as well.

# Another image with Rust, a C compiler and glibc's static libraries will do.
ARG RUST_IMAGE=rust:1.95-bookworm
FROM ${RUST_IMAGE} AS build
WORKDIR /esp
COPY . .
RUN mkdir /out && cp "$(build/static target)" /out/esp

FROM scratch
LABEL org.opencontainers.image.title="ESP" \
      org.opencontainers.image.description="ECS Stats Plotter: a sidecar that makes Amazon ECS services scale in seconds" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/esp /esp
# Nobody in particular. ESP opens no port and writes no file.
USER 65532:65532
# For engines that look at it; ECS has its own in the task definition.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/esp", "health"]
ENTRYPOINT ["/esp"]
