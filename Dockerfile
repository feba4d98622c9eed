# The build base is an argument, for those who build from a mirror.
ARG GO_IMAGE=docker.io/library/golang:1.26
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=""
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /stickwatch ./cmd/stickwatch
RUN mkdir -p /empty/var/lib/stickwatch /empty/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65534:65534 /empty/ /
COPY --from=build /stickwatch /stickwatch
USER 65534:65534
# A relative history.url of the configuration is a file here, and beside it the admin
# socket: docker exec stickwatch /stickwatch silence list -c /etc/stickwatch/stickwatch.yml
WORKDIR /var/lib/stickwatch
VOLUME /var/lib/stickwatch
EXPOSE 9748
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s \
  CMD ["/stickwatch", "serve", "--healthcheck", "--config", "/etc/stickwatch/stickwatch.yml", "--listen", ":9748"]
ENTRYPOINT ["/stickwatch"]
CMD ["serve", "--config", "/etc/stickwatch/stickwatch.yml", "--listen", ":9748"]
