using System.Diagnostics;
using Garden.Testing;

namespace Garden.Kernels.Tests.Device;

/// <summary>What is concluded of other processes: that one has ended is said only when it has.</summary>
public sealed class ProcessTests
{
    [Fact]
    public void AProcessIsKnownByItsStart()
    {
        ulong own = Assert.NotNull(ProcessIdentity.StartOf(Environment.ProcessId));
        Assert.Equal(own, ProcessIdentity.OwnStart);
        Assert.Null(ProcessIdentity.StartOf(int.MaxValue));
        Assert.Null(ProcessWatch.TryOpen(int.MaxValue, own));
        using ProcessWatch? watch = ProcessWatch.TryOpen(Environment.ProcessId, own);
        Assert.True(watch!.IsAlive);
        // Another process of the same id.
        Assert.Null(ProcessWatch.TryOpen(Environment.ProcessId, own + 1));
    }

    [Fact]
    public void AProcessThatWasNotWaitedForHasEnded()
    {
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", "-c \"sleep 0 & exec sleep 100\"") { RedirectStandardOutput = true })!;
        try
        {
            // The sleep that has become the shell never waits for its child.
            string children = $"/proc/{shell.Id}/task/{shell.Id}/children";
            int child = 0;
            Assert.True(SpinWait.SpinUntil(() => int.TryParse(File.ReadAllText(children), out child) && File.ReadAllText($"/proc/{child}/stat").Contains(") Z ", StringComparison.Ordinal), TimeSpan.FromSeconds(30)));
            ulong start = Assert.NotNull(ProcessIdentity.StartOf(child));
            Assert.Null(ProcessWatch.TryOpen(child, start));
            Assert.Null(SharedMemory.Open(new SharedMemoryName(child, start, 5, 7), 4096));
        }
        finally
        {
            shell.Kill();
            shell.WaitForExit();
        }
    }

    [Fact]
    public void L8_WithoutDescriptorsNobodyHasEnded()
    {
        using SharedMemory memory = SharedMemory.Create(4096);
        using var other = Process.Start(new ProcessStartInfo("/bin/sleep", "100"))!;
        try
        {
            ulong start = Assert.NotNull(ProcessIdentity.StartOf(other.Id));
            // What this needs is loaded before: there is no descriptor for assemblies either.
            FabricException refused = Refusal(() => ProcessWatch.TryOpen(0, start));
            Assert.Contains("pidfd_open of process 0", refused.Message, StringComparison.Ordinal);
            SharedMemory.Open(memory.Name, 4096)!.Dispose();
            FabricException watch, identity, open;
            SharedMemory? gone;
            using (new DescriptorLimit())
            {
                watch = Refusal(() => ProcessWatch.TryOpen(other.Id, start));
                identity = Refusal(() => ProcessIdentity.StartOf(other.Id));
                open = Refusal(() => SharedMemory.Open(memory.Name, 4096));
                // That is seen without one.
                gone = SharedMemory.Open(memory.Name with { Id = memory.Name.Id + 1 }, 4096);
            }

            Assert.Null(gone);
            Assert.All([watch, identity, open], static refusal => Assert.Contains("ulimit -n", refusal.Message, StringComparison.Ordinal));
            using ProcessWatch? alive = ProcessWatch.TryOpen(other.Id, start);
            Assert.True(alive!.IsAlive);
        }
        finally
        {
            other.Kill();
            other.WaitForExit();
        }
    }

    private static FabricException Refusal(Func<object?> call)
    {
        try
        {
            return call() is { } given ? throw new InvalidOperationException($"It gave {given}.") : throw new InvalidOperationException("It says that the other has ended.");
        }
        catch (FabricException exception)
        {
            return exception;
        }
    }
}
