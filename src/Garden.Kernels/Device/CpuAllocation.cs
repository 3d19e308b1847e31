namespace Garden.Kernels;

/// <summary>Memory of the CPU accelerator that can be shared, found again by the addresses in it.</summary>
internal sealed unsafe class CpuAllocation : IDisposable
{
    private static readonly Lock s_lock = new();
    private static readonly List<CpuAllocation> s_all = [];

    private CpuAllocation(SharedMemory memory) => Memory = memory;

    public SharedMemory Memory { get; }

    public nint Address => (nint)Memory.Pointer;

    public static CpuAllocation Create(long bytes)
    {
        var allocation = new CpuAllocation(SharedMemory.Create(bytes));
        lock (s_lock)
            s_all.Add(allocation);
        return allocation;
    }

    /// <summary>The allocation a range lies in; null when it is none of this kind.</summary>
    public static CpuAllocation? Find(nint address, long bytes)
    {
        lock (s_lock)
            return s_all.Find(allocation => address >= allocation.Address && bytes <= allocation.Memory.Length - (address - allocation.Address));
    }

    public void Dispose()
    {
        lock (s_lock)
            s_all.Remove(this);
        Memory.Dispose();
    }
}
