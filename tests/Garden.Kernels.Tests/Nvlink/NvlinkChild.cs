using System.Diagnostics;
using Garden.Kernels.Tests.Device;

namespace Garden.Kernels.Tests.Nvlink;

/// <summary>
/// An nvlink engine with a buffer of device memory in another process, told by lines what to do: <c>hash UNITS</c> answers with a hash of
/// the buffer after so many immediates, <c>write ADDRESS DESCRIPTOR</c> writes the buffer's inverse into the test's, <c>flood …</c> does
/// so again and again until it is killed.
/// </summary>
/// <remarks>It runs while the module is initialised, so no code of this assembly may run on other threads.</remarks>
internal static class NvlinkChild
{
    public const int Length = 3_000_001;
    public const uint Number = 7;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>The child's side.</summary>
    public static void Run(string kind)
    {
        using KernelDevice device = kind == "cuda" ? KernelDevice.OpenCuda() : KernelDevice.OpenCpu();
        using DeviceBuffer buffer = TestBytes.Upload(device, TestBytes.Poisoned(Length));
        TransferEngine engine = TransferEngine.CreateBuilder().UseNvlink(device).Configure(NvlinkProcessTests.Configure).Build();
        BufferRegistration registration = buffer.RegisterWith(engine);
        ImmCounter counter = engine.GetCounter(Number);
        Console.WriteLine($"{engine.Address} {Convert.ToBase64String(registration.Region.Export().ToBytes())}");
        while (Console.ReadLine() is { } line)
        {
            string[] words = line.Split(' ');
            if (words[0] == "hash")
            {
                Wait(counter.WaitAsync(long.Parse(words[1], System.Globalization.CultureInfo.InvariantCulture), s_limit).AsTask());
                Console.WriteLine(Hash(TestBytes.Download(buffer)));
                continue;
            }

            byte[] bytes = TestBytes.Download(buffer);
            for (int i = 0; i < bytes.Length; i++)
                bytes[i] = (byte)~bytes[i];
            buffer.Write(bytes);
            Task<Peer> connecting = engine.ConnectAsync(NetAddress.Parse(words[1]), s_limit).AsTask();
            Wait(connecting);
            RemoteRegion remote = connecting.GetAwaiter().GetResult().Import(MemoryRegionDescriptor.Parse(Convert.FromBase64String(words[2])));
            do
            {
                Wait(engine.SubmitSingleWrite(registration.Region, 0, remote, 0, Length, Immediate.FromNumber(Number)).AsValueTask().AsTask());
            }
            while (words[0] == "flood");
            Console.WriteLine("written");
        }
    }

    public static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(bytes));

    private static void Wait(Task task)
    {
        if (!task.Wait(s_limit))
            throw new TimeoutException("The child waited in vain.");
    }
}

/// <summary>The test's side of a child.</summary>
internal sealed class NvlinkChildProcess : IDisposable
{
    private readonly Process _process;

    public NvlinkChildProcess(string kind)
    {
        _process = IpcChild.Start(IpcChild.NvlinkCommand, kind);
        string[] words = Read().Split(' ');
        Address = NetAddress.Parse(words[0]);
        Descriptor = MemoryRegionDescriptor.Parse(Convert.FromBase64String(words[1]));
    }

    public NetAddress Address { get; }

    public MemoryRegionDescriptor Descriptor { get; }

    public void Tell(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    public string Read()
    {
        Task<string?> reading = _process.StandardOutput.ReadLineAsync();
        if (!reading.Wait(TimeSpan.FromSeconds(60)))
            throw new TimeoutException("The child says nothing.");
        return reading.GetAwaiter().GetResult() is { } line && !line.Contains("Exception", StringComparison.Ordinal)
            ? line
            : throw new InvalidOperationException($"The child failed: {reading.GetAwaiter().GetResult()} {_process.StandardOutput.ReadToEnd()} {_process.StandardError.ReadToEnd()}");
    }

    public void Kill()
    {
        _process.Kill();
        Assert.True(_process.WaitForExit(TimeSpan.FromSeconds(30)), "The killed child did not end.");
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.StandardInput.Close();
            if (!_process.WaitForExit(TimeSpan.FromSeconds(30)))
                Kill();
        }

        _process.Dispose();
    }
}
