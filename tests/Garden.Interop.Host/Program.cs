using Garden;
using Garden.Interop.Host;
using Garden.KvCache;
using Garden.Samples;

// garden-test-host prefill|decode FABRIC PLACE MILLISECONDS-A-LAYER[,REQUEST,LAYER-TO-STAY-IN], storm tcp PLACE ENDPOINTS, or trainer|inference FABRIC PLACE RANK,FIRST-STEP: one line of output for each thing that happens. Ends with its input.
if (args is not [var role, var fabric, var place, var milliseconds])
{
    Console.Error.WriteLine("garden-test-host prefill|decode tcp|shm PLACE MILLISECONDS");
    return 2;
}

// The console's reader blocks, whatever its methods are called.
Task orphaned = Task.Run(Console.In.ReadToEnd);
if (role == "storm")
{
    Storm.Run(NetAddress.Parse(await Rendezvous.FindAsync(place, TimeSpan.FromSeconds(30))), int.Parse(milliseconds), orphaned);
    return 0;
}

await using TransferEngine engine = HostEngines.Build(fabric);
if (role is "trainer" or "inference")
{
    int[] numbers = [.. milliseconds.Split(',').Select(int.Parse)];
    await (role == "trainer" ? WeightHosts.TrainAsync(engine, place, numbers[0], numbers[1], orphaned) : WeightHosts.ReceiveAsync(engine, place, numbers[0], numbers[1], orphaned));
    return 0;
}

if (role == "prefill")
{
    int[] numbers = [.. milliseconds.Split(',').Select(int.Parse)];
    await using var prefill = new PrefillHost(engine, TimeSpan.FromMilliseconds(numbers[0]))
    {
        BeforeLayer = (request, layer) =>
        {
            Console.WriteLine($"request {request} layer {layer}");
            return numbers is [_, var last, var end] && (request, layer) == (last, end) ? orphaned : Task.CompletedTask;
        },
    };
    await using IAsyncDisposable published = await Rendezvous.PublishAsync(place, engine.Address.ToString());
    await orphaned;
    return 0;
}

await using var decode = new DecodeHost(engine, 4 * HostPages.PagesPerRequest);
Peer prefiller = await engine.ConnectAsync(NetAddress.Parse(await Rendezvous.FindAsync(place, TimeSpan.FromSeconds(30))), TimeSpan.FromSeconds(20));
Console.WriteLine($"at {engine.Address}");
for (long request = 0; !orphaned.IsCompleted; request++)
{
    Console.WriteLine($"request {request}");
    using KvPageLease pages = await decode.RequestAsync(prefiller, request);
    Console.WriteLine($"served {request}");
}

return 0;
