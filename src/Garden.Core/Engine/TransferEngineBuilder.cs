using Garden.Fabric;
using Garden.Fabric.Loopback;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Garden;

/// <summary>Collects fabrics and options, then builds a <see cref="TransferEngine"/>.</summary>
public sealed class TransferEngineBuilder
{
    private readonly List<IFabric> _devices = [];
    private readonly TransferEngineOptions _options = new();
    private ILoggerFactory _loggers = NullLoggerFactory.Instance;

    internal TransferEngineBuilder()
    {
    }

    /// <summary>Adds a device whose NICs <paramref name="fabric"/> opens. The first is device 0.</summary>
    public TransferEngineBuilder UseFabric(IFabric fabric)
    {
        ArgumentNullException.ThrowIfNull(fabric);
        _devices.Add(fabric);
        return this;
    }

    /// <summary>Adds a device on the in-process loopback fabric.</summary>
    public TransferEngineBuilder UseLoopback(LoopbackNetwork network, LoopbackOptions options) => UseFabric(new LoopbackFabric(network, options));

    /// <summary>Adds a device on the in-process loopback fabric, under a name of its own.</summary>
    public TransferEngineBuilder UseLoopback(LoopbackNetwork network, string name, int nics = 1) =>
        UseLoopback(network, new LoopbackOptions { Name = name, Nics = nics });

    /// <summary>Changes the options.</summary>
    public TransferEngineBuilder Configure(Action<TransferEngineOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(_options);
        return this;
    }

    /// <summary>Where the engine logs to.</summary>
    public TransferEngineBuilder UseLogging(ILoggerFactory loggers)
    {
        ArgumentNullException.ThrowIfNull(loggers);
        _loggers = loggers;
        return this;
    }

    /// <summary>Opens the NICs, starts the workers (unless caller-driven) and returns the engine.</summary>
    /// <exception cref="InvalidOperationException">No fabric was chosen: nothing is chosen by itself.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of range; the message names it.</exception>
    /// <exception cref="FabricException">A fabric could not be opened.</exception>
    public TransferEngine Build()
    {
        if (_devices.Count == 0)
            throw new InvalidOperationException("The engine has no fabric; call UseLoopback(…) or UseFabric(…) first. Nothing is chosen by itself.");
        // A copy: the builder may be changed and used again.
        TransferEngineOptions options = _options with { };
        options.Validate();
        foreach (int cpu in options.WorkerCpus.Values)
            ThreadAffinity.Require(cpu);
        return new TransferEngine(_devices, options, _loggers.CreateLogger("Garden"));
    }
}
