# podium in a container: one static binary, no shell, no root, and nothing
# written outside of /data.
#
#     docker build -t podium --build-arg VERSION=v1.2.0 --build-arg REVISION=$(git rev-parse HEAD) .
#     docker run --read-only --cap-drop ALL -v podium:/data -p 8080:8080 --env-file podium.env podium
#
# RUNTIME_IMAGE may be scratch: podium needs nothing of it.
ARG GO_IMAGE=golang:1.26
ARG RUNTIME_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
COPY tools/go.mod tools/go.sum tools/
RUN go mod download && \
    go build -modfile=tools/go.mod -o /usr/local/bin/ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
COPY . .
ARG VERSION=devel
ARG REVISION=
ARG TARGETOS
ARG TARGETARCH
# /image is what the image gets: the binary, what is in it and under which
# licences, certificates in the place where Go looks last, so that the runtime
# image's own go before, and a directory for podium's user to write in.
RUN mkdir -p /image/data /image/etc/ssl /image/usr/share/doc/podium && \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags="-s -w -X main.release=$VERSION${REVISION:++$REVISION}" -o /image/podium ./cmd/podium && \
    cyclonedx-gomod bin -json -std -version "$VERSION" -output /image/usr/share/doc/podium/podium.cdx.json /image/podium && \
    cp LICENSE deploy/THIRD_PARTY_LICENSES /image/usr/share/doc/podium/ && \
    if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/cert.pem; fi

FROM ${RUNTIME_IMAGE}
ARG RUNTIME_IMAGE
ARG VERSION=devel
ARG REVISION=
LABEL org.opencontainers.image.title="podium" \
      org.opencontainers.image.description="Slack and Discord bot that answers questions about one announcement, in its own words" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${RUNTIME_IMAGE}"
COPY --from=build /image/etc /etc
COPY --from=build /image/usr /usr
COPY --from=build /image/podium /podium
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
WORKDIR /data
ENV PODIUM_HTTP_ADDR=0.0.0.0:8080 XDG_CACHE_HOME=/data/cache TMPDIR=/data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=45s CMD ["/podium", "healthcheck"]
ENTRYPOINT ["/podium"]
CMD ["serve"]
