using Garden.Testing;

namespace Garden.Kernels.Tests.Device;

/// <summary>What was asked for and is not there is an error that says what to do; nothing else is opened instead.</summary>
public sealed class OpeningTests
{
    [Fact]
    public void WithoutADriverTheErrorSaysHowToInstallIt()
    {
        if (CudaDriver.Missing is not { } missing)
        {
            Assert.Skip("this machine has a CUDA device");
            return;
        }

        Assert.Equal(missing, Assert.Throws<CudaException>(() => KernelDevice.OpenCuda()).Message);
        Assert.Matches("apt-get install|nvidia-smi", missing);
        Assert.Throws<CudaException>(() => KernelDevice.AttachCuda(1));
    }

    [Fact]
    public void ADeviceThatIsNotThereIsNamedWithThoseThatAre()
    {
        int count = TestDevices.Cuda is not null ? CudaDriver.DeviceCount : 0;
        CudaException error = Assert.Throws<CudaException>(() => KernelDevice.OpenCuda(count));
        Assert.Contains($"no CUDA device {count}", error.Message, StringComparison.Ordinal);
        Assert.Contains(TestDevices.Cuda!.Name, error.Message, StringComparison.Ordinal);
        Assert.Throws<CudaException>(() => KernelDevice.OpenCuda(-1));
    }

    [Fact]
    public void CpuGroupsAreWholeWarps()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => KernelDevice.OpenCpu(threadsPerGroup: 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => KernelDevice.OpenCpu(multiprocessors: 0));
        Assert.Equal(MemoryKind.Host, TestDevices.Cpu.MemoryKind);
        Assert.Throws<NotSupportedException>(() => TestDevices.Cpu.WrapStream(1));
        Assert.Throws<NotSupportedException>(() => TestDevices.Cpu.WrapEvent(1));
    }

    [Fact]
    public void AnyOtherMethodThanAKernelIsRefused()
    {
        // A device of its own: a failed compilation ruins it.
        using CpuDevice device = KernelDevice.OpenCpu();
        KernelCompilationException error = Assert.Throws<KernelCompilationException>(() => Compilation.PtxCompiler.Compile<int>(NotAKernel, (9, 0)));
        Assert.Contains("OpeningTests.NotAKernel", error.Message, StringComparison.Ordinal);
        // The compiler is as good as new after a failure.
        Assert.NotEmpty(Compilation.PtxCompiler.Compile<SignalProgressArgs>(SignalProgress.Run, (9, 0)).Text);
    }

    [Fact]
    public void RequiredBackendsFailInsteadOfSkipping()
    {
        if (CudaDriver.Missing is null)
            Assert.Skip("this machine has a CUDA device");
        Exception? outcome = Record.Exception(() => Backends.SkipUnless("cuda", CudaDriver.Missing));
        Assert.NotNull(outcome);
        Assert.Equal(Backends.IsRequired("cuda"), outcome.Message.Contains("GARDEN_REQUIRE", StringComparison.Ordinal));
    }

    private static void NotAKernel(int value) => Console.WriteLine(value.ToString(System.Globalization.CultureInfo.InvariantCulture));
}
