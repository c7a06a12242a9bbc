package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	images "cutaway/05-images"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/stretchr/testify/require"
)

func TestCredentialsAreThoseOfDockersClient(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	basic := base64.StdEncoding.EncodeToString([]byte("anna:secret"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{
		"auths": {"https://index.docker.io/v1/": {"auth": "`+basic+`"}, "127.0.0.1:5000": {"auth": "`+basic+`"}},
		"credHelpers": {"helped.example.com": "test"}}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte(
		"#!/bin/sh\nread host\necho '{\"ServerURL\":\"'$host'\",\"Username\":\"helper\",\"Secret\":\"told\"}'\n"), 0o755))
	for image, want := range map[string]string{
		"alpine": "anna:secret", "127.0.0.1:5000/web": "anna:secret", "helped.example.com/web": "helper:told", "other.example.com/web": ":",
	} {
		ref, err := images.ParseReference(image)
		require.NoError(t, err)
		auth, err := credentials(ref)
		require.NoError(t, err)
		got, err := authn.Authorization(t.Context(), auth)
		require.NoError(t, err)
		require.Equal(t, want, got.Username+":"+got.Password, image)
	}
}
