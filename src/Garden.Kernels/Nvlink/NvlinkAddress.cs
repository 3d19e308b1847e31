namespace Garden.Kernels.Nvlink;

/// <summary>A NIC's address: which kind of device it is on and where its segment is, <c>cuda:PID.START.DESCRIPTOR.ID</c>.</summary>
internal readonly record struct NvlinkAddress(bool IsCuda, SharedMemoryName Segment)
{
    private const string Cuda = "cuda:", Cpu = "cpu:";

    /// <exception cref="DescriptorException">The text is no such address.</exception>
    public static NvlinkAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        bool cuda = text.StartsWith(Cuda, StringComparison.Ordinal);
        if ((cuda || text.StartsWith(Cpu, StringComparison.Ordinal)) && SharedMemoryName.TryParse(text.AsSpan(cuda ? Cuda.Length : Cpu.Length), out SharedMemoryName segment))
            return new NvlinkAddress(cuda, segment);
        throw new DescriptorException($"An nvlink NIC's address is \"cuda:\" or \"cpu:\" and PROCESS.START.DESCRIPTOR.ID; got \"{(text.Length > 80 ? text[..80] : text)}\".");
    }

    public override string ToString() => (IsCuda ? Cuda : Cpu) + Segment;
}
