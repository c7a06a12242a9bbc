package cgroups

// Limits is what a container may use. A zero field is no limit. The fields say
// what Docker's options of the same name say.
type Limits struct {
	MemoryMax  int64 // bytes; above it the kernel kills. docker run --memory
	MemoryHigh int64 // bytes; above it the kernel reclaims and slows down; v2 only
	MemoryLow  int64 // bytes to keep when others need memory. docker run --memory-reservation
	MemorySwap int64 // bytes, memory and swap together; 0: twice MemoryMax; -1: no limit. docker run --memory-swap

	CPUQuota  int64  // microseconds of processor time in each period; docker run --cpus 1.5 is 150000
	CPUPeriod int64  // microseconds; 0: 100000
	CPUShares uint64 // 2 to 262144, where 1024 is usual: the part of a busy processor. docker run --cpu-shares
	CPUs      string // a list of processors, "0-2,4". docker run --cpuset-cpus
	Mems      string // a list of NUMA nodes. docker run --cpuset-mems

	PidsMax int64 // processes and threads. docker run --pids-limit

	IOWeight uint16     // 10 to 1000, where 100 is usual: the part of a busy disk. docker run --blkio-weight
	IO       []IOLimit  // for each disk
	HugeTLB  []HugePage // for each size of huge pages

	Devices []DeviceRule // which device nodes may be made, read and written
}

// IOLimit limits what is read from and written to one block device.
type IOLimit struct {
	Major, Minor        int64
	ReadBPS, WriteBPS   uint64 // bytes a second
	ReadIOPS, WriteIOPS uint64 // operations a second
}

// HugePage limits the use of huge pages of one size.
type HugePage struct {
	Size string // as the kernel spells it: "2MB", "1GB"
	Max  int64  // bytes
}

// DeviceRule allows or denies access to device nodes. Of the rules that match,
// the last decides; a device that no rule mentions is as free as in the parent.
type DeviceRule struct {
	Allow  bool
	Type   string // "c" character, "b" block, "a" all devices (then the numbers are nil)
	Major  *int64 // nil: any
	Minor  *int64 // nil: any
	Access string // of r(ead), w(rite), m(knod)
}
