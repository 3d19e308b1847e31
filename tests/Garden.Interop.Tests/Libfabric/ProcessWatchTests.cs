using System.Diagnostics;
using Garden.Interop.Libfabric;
using Garden.Testing;

namespace Garden.Interop.Tests.Libfabric;

/// <summary>What is concluded of the process behind a shared-memory address.</summary>
public sealed class ProcessWatchTests
{
    [Fact]
    public void L8_WithoutDescriptorsNobodyHasEnded()
    {
        WatchedProcess watched;
        using var other = Process.Start(new ProcessStartInfo("/bin/sleep", "100"))!;
        try
        {
            watched = ProcessWatch.OwnerOf($"fi_shm://{other.Id}:0:1#1.0.40")!.Value;
            Assert.True(ProcessWatch.IsAlive(watched));
            Assert.False(ProcessWatch.IsAlive(watched with { Start = watched.Start + 1 }));
            Assert.False(ProcessWatch.IsAlive(new WatchedProcess(int.MaxValue, 1)));
            Assert.Null(ProcessWatch.OwnerOf($"fi_shm://{int.MaxValue}:0:1#1.0.40"));
            bool isAlive;
            using (new DescriptorLimit())
                isAlive = ProcessWatch.IsAlive(watched);
            Assert.True(isAlive);
        }
        finally
        {
            other.Kill();
            other.WaitForExit();
        }

        Assert.False(ProcessWatch.IsAlive(watched));
    }
}
