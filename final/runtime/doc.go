// Package runtime turns an OCI runtime specification into steps, and is the
// process that performs those inside.
//
//	config.json ──▶ Compile ──▶ limits   cgroup, for the host
//	                            clone    namespaces, for the shim
//	                            inside   for the container's first process:
//
//	  join the network, enter the cgroup, hide it     the last things done on
//	  stop propagation                                 the host's tree
//	  mounts, devices, terminal                        in the new tree, from outside
//	  pivot_root                                       there is no way back
//	  hostname, sysctls, working directory             as root of the container
//	  read-only and hidden paths
//	  limits, capabilities, user                       privileges go last,
//	  execve                                           because all the others need them
//
// A process that exec adds finds most of this done: it joins the namespaces of
// the first one, and gives up the same privileges.
//
// # What is not guaranteed
//
// Hooks, seccomp, user namespaces, AppArmor and SELinux labels of a
// specification are not carried out; Compile refuses a specification that has
// one of them.
package runtime
