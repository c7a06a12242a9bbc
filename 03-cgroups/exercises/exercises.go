// Package exercises holds the exercises of chapter 3. How they are made and graded is written in chapters/exercise.
package exercises

import "cutaway/chapters/exercise"

// List is what a learner is asked to write.
var List = exercise.List{Dir: "03-cgroups", Exercises: []exercise.Exercise{
	{
		Name: "mode", Title: "Which language is spoken here", Points: 1,
		Empty: []string{"System.Mode"},
		Task: `Say in a word how this machine is set up, by the versions of s.Hierarchies: v2, where there is the one tree and nothing else; v1, where there
is none of v2; hybrid, where v2's tree stands beside v1's. It has to be what /proc/self/mountinfo shows.`,
	},
	{
		Name: "translate", Title: "Say it in two languages", Points: 3,
		Empty: []string{"Limits.swap", "Limits.cpuMax"},
		Task: `What is written for Limits.MemorySwap, and for Limits.CPUQuota with CPUPeriod, where they are asked for? v1's memory.memsw.limit_in_bytes is memory and swap together,
v2's memory.swap.max is swap alone; without MemorySwap a group gets as much swap as memory, and what is unlimited stays so. v2's cpu.max has
the quota (or max) and the period, which is 100000 if nobody says otherwise; v1's cpu.cfs_quota_us has the quota (or -1), and the period has a row of its own.`,
	},
	{
		Name: "limit", Title: "Set a limit, and believe nothing", Points: 3,
		Empty: []string{"Set.Do"},
		Task: `Write s.Value to the file s.Path of a group, and read it back. What the kernel has rounded is no error; that it has something else than
was meant, is one. A file that is none of the kernel's is not touched. A file that does not exist is an error, unless s.Optional; in a group that
does not exist it is always one.`,
	},
	{
		Name: "join", Title: "Go in before the program starts", Points: 2,
		Empty: []string{"Join.Do"},
		Task: `Put the calling process into every group of j.Paths, so that /proc/PID/cgroup shows it there, and for each child that it has from
then on. Its number in other PID namespaces is not known to it. If the kernel shows it elsewhere in the end, that is an error.`,
	},
	{
		Name: "oom", Title: "How many were killed?", Points: 2,
		Empty: []string{"Group.OOMKills"},
		Task: `Count the processes that the kernel has killed because the group was out of memory: these, not how often memory was short. The kernel
counts them in a file of the group; where there is none, that is fs.ErrNotExist and not a zero.`,
	},
	{
		Name: "freeze", Title: "Hold still", Points: 3,
		Empty: []string{"Group.freeze", "Group.writeFreezer"},
		Task: `Stop every process of the group where it is, or let it go on, and return when it is so: freezer.state says FROZEN or THAWED, cgroup.events
says frozen 1 or 0. A process in the middle of something, or one that has used up its processor time, stops later than you write. writeFreezer is also called by Kill.`,
	},
	{
		Name: "kill", Title: "Leave nobody alive", Points: 4,
		Empty: []string{"Group.Kill"},
		After: []string{"freeze"},
		Task: `Kill every process of the group and of the groups below it: those that ignore SIGTERM, those that are frozen, and those that are born while
you are at it. When Kill returns, cgroup.procs is empty, in all of them. If 10 seconds are not enough, that is an error. Nobody else is hurt.`,
	},
}}
