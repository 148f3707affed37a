# An image with one static binary and its licence texts, for linux/amd64 and
# linux/arm64. It uses only features that every builder has, so `DOCKER_BUILDKIT=0`
# works as well.

# Another Debian image with Rust, a C compiler and glibc's static libraries will do.
# The digest is the one of 1.95.0 for all architectures; a tag could be moved.
ARG RUST_IMAGE=rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
FROM ${RUST_IMAGE} AS build
WORKDIR /esp
COPY . .
# Which commit this is: the repository itself is not here.
ARG ESP_COMMIT=unknown
ENV ESP_COMMIT=${ESP_COMMIT}
RUN mkdir /out && cp "$(build/static target)" LICENSE /out/
# The licence texts of what is linked are 0.9 MB, and compressed less than a tenth.
RUN build/notices /out/THIRD-PARTY.txt && gzip -9n /out/THIRD-PARTY.txt

FROM scratch
LABEL org.opencontainers.image.title="ESP" \
      org.opencontainers.image.description="ECS Stats Plotter: a sidecar that publishes the metrics of ECS containers to CloudWatch every second" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/ /
# Nobody in particular. ESP opens no port and writes no file.
USER 65532:65532
# For engines that look at it; ECS has its own in the task definition.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/esp", "health"]
ENTRYPOINT ["/esp"]
