using System.Text;
using Garden.Kernels.Compilation;
using Garden.Kernels.Native;

namespace Garden.Kernels;

/// <summary>A kernel in a module of the driver.</summary>
internal sealed unsafe class CudaKernel<TArgs> : DeviceKernel<TArgs>
    where TArgs : unmanaged
{
    private const int DefaultThreads = 256;
    private const int LogBytes = 8192;
    private readonly CudaContext _context;
    private readonly CudaHandle _module;
    private readonly nint _function;
    private readonly int _mostThreads;
    private int _dynamicShared;

    private CudaKernel(CudaDevice device, string name, CudaHandle module, nint function)
        : base(device, name)
    {
        _context = device.Context;
        _module = module;
        _function = function;
        _mostThreads = Attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
        LibCuda.Check(LibCuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(out int groups, function, Math.Min(DefaultThreads, _mostThreads), 0));
        Resources = new KernelResources(
            Attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS), Attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES), groups);
    }

    public override KernelResources Resources { get; }

    public static CudaKernel<TArgs> Load(CudaDevice device, PtxKernel ptx)
    {
        byte[] image = Encoding.UTF8.GetBytes(ptx.Text + '\0');
        byte* log = stackalloc byte[LogBytes];
        CUjit_option* names = stackalloc CUjit_option[] { CUjit_option.CU_JIT_ERROR_LOG_BUFFER, CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
        void** values = stackalloc void*[] { log, (void*)LogBytes };
        log[0] = 0;
        using CudaContext.Scope scope = device.Context.Enter();
        CUresult result;
        nint module;
        // Safe: the image ends with a zero; the log has the length its option says.
        fixed (byte* first = image)
            result = LibCuda.cuModuleLoadDataEx(out module, first, 2, names, values);
        if (result != CUresult.CUDA_SUCCESS)
        {
            string reason = System.Runtime.InteropServices.Marshal.PtrToStringUTF8((nint)log) ?? "";
            throw new KernelCompilationException($"The driver refused {ptx.Name} with {(int)result}: {reason.Trim()} Update the driver, or report the kernel with its PTX (PTX ISA {PtxCompiler.InstructionSetName}).");
        }

        CudaHandle owned = CudaHandle.Own(device.Context, module, &LibCuda.cuModuleUnload);
        try
        {
            LibCuda.Check(LibCuda.cuModuleGetFunction(out nint function, module, ptx.EntryPoint));
            return new CudaKernel<TArgs>(device, ptx.Name, owned, function);
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    public override void Launch(DeviceStream stream, in LaunchShape shape, in TArgs arguments)
    {
        if (shape.Groups < 1 || shape.Rows is < 1 or > 65535 || shape.GroupThreads < 1 || shape.GroupThreads > _mostThreads || shape.SharedBytes < 0)
            throw new ArgumentOutOfRangeException(nameof(shape), $"{shape} is not one {Name} runs with: 1 or more groups, 1 to 65535 rows, 1 to {_mostThreads} threads a group.");
        CudaStream on = CudaStream.Of(stream, _context);
        ObjectDisposedException.ThrowIf(_module.IsClosed, this);
        CUlaunchAttribute* attributes = stackalloc CUlaunchAttribute[2];
        uint count = 0;
        if (shape.Cooperative)
            attributes[count++] = new CUlaunchAttribute { id = CUlaunchAttribute.CU_LAUNCH_ATTRIBUTE_COOPERATIVE, value = 1 };
        if (shape.OverlapsPrevious)
            attributes[count++] = new CUlaunchAttribute { id = CUlaunchAttribute.CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, value = 1 };
        var config = new CUlaunchConfig
        {
            gridDimX = (uint)shape.Groups,
            gridDimY = (uint)shape.Rows,
            gridDimZ = 1,
            blockDimX = (uint)shape.GroupThreads,
            blockDimY = 1,
            blockDimZ = 1,
            sharedMemBytes = (uint)shape.SharedBytes,
            hStream = on.Value,
            attrs = attributes,
            numAttrs = count,
        };
        using CudaContext.Scope scope = _context.Enter();
        if (shape.SharedBytes > _dynamicShared)
        {
            LibCuda.Check(LibCuda.cuFuncSetAttribute(_function, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shape.SharedBytes));
            _dynamicShared = shape.SharedBytes;
        }

        // Safe: the driver copies sizeof(TArgs) bytes, the size of the kernel's one parameter, before it returns.
        fixed (TArgs* first = &arguments)
        {
            void* parameter = first;
            LibCuda.Check(LibCuda.cuLaunchKernelEx(&config, _function, &parameter, null));
        }
    }

    public override LaunchShape ShapeFor(long threads, int threadsPerGroup = 0)
    {
        int group = threadsPerGroup > 0 ? threadsPerGroup : Math.Min(DefaultThreads, _mostThreads);
        int resident = Resources.GroupsPerMultiprocessor;
        if (group != DefaultThreads)
        {
            using CudaContext.Scope scope = _context.Enter();
            LibCuda.Check(LibCuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(out resident, _function, group, 0));
        }

        long most = (long)Device.Multiprocessors * Math.Max(1, resident);
        return new LaunchShape((int)Math.Clamp((threads + group - 1) / group, 1, most), group);
    }

    protected override void Dispose(bool disposing) => _module.Dispose();

    private int Attribute(CUfunction_attribute attribute)
    {
        LibCuda.Check(LibCuda.cuFuncGetAttribute(out int value, attribute, _function));
        return value;
    }
}
