// Package cli is the command line: a client of Docker's REST API that is small enough to show that REST is all
// there is.
//
// # Model
//
// Every command is one or a few HTTP requests over a UNIX or TCP socket, and a table or a stream. Only "run" is
// more than that. Its order is what matters:
//
//	client                                   daemon
//	POST /containers/create        ───────►  201 {"Id": …}        404: pull the image, create again
//	POST /containers/ID/attach     ───────►  101, then raw bytes  the connection is the terminal from here on
//	POST /containers/ID/wait       ───────►  200, no body yet     the wait is armed once the header is there
//	POST /containers/ID/start      ───────►  204
//	  … standard input, output, SIGWINCH → resize, signals → kill …
//	                               ◄───────  {"StatusCode": 3}    the body of wait: the exit code
//
// Attach and wait come before start: a container may be over before a later request arrives, and its output
// and its exit code would be lost, or with --rm the container itself.
//
// # Vocabulary
//
// One file holds one group of commands. The app is what they share: the three standard streams and the client.
// The exit status is the container's; 125 is an error of the engine's or of the call's, 126 a program that
// cannot be executed, 127 one that is not there, 128 + n a signal: docker-run(1), "Exit Status".
//
// # Not guaranteed
//
// Arguments and variables travel as JSON, whose strings are UTF-8: other bytes arrive as U+FFFD, as with docker.
// Flags are docker's, but only those that "--help" shows. The API version is fixed and not negotiated, which
// saves a round trip at every call.
package cli
