# podium in a container: one static binary, no shell, no root.
#
#     docker build -t podium .
#     docker run -e PODIUM_SLACK_BOT_TOKEN=... -e PODIUM_SLACK_APP_TOKEN=... -v podium:/data podium
ARG GO_IMAGE=golang:1.26
ARG RUNTIME_IMAGE=gcr.io/distroless/static-debian12:nonroot

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /podium ./cmd/podium && mkdir /data

FROM ${RUNTIME_IMAGE}
COPY --from=build /podium /podium
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
WORKDIR /data
ENV PODIUM_HTTP_ADDR=0.0.0.0:8080 PODIUM_DATABASE_URL=sqlite:/data/podium.db
EXPOSE 8080
ENTRYPOINT ["/podium"]
CMD ["serve"]
