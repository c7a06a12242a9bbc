// Package daemon serves Docker's REST API.
package daemon
