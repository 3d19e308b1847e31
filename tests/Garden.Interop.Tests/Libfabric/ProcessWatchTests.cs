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
        using var other = Process.Start(new ProcessStartInfo("/bin/sleep", "100"))!;
        try
        {
            Assert.True(ProcessWatch.IsAlive(other.Id));
            Assert.False(ProcessWatch.IsAlive(int.MaxValue));
            bool isAlive;
            using (new DescriptorLimit())
                isAlive = ProcessWatch.IsAlive(other.Id);
            Assert.True(isAlive);
        }
        finally
        {
            other.Kill();
            other.WaitForExit();
        }

        Assert.False(ProcessWatch.IsAlive(other.Id));
    }
}
