using Garden.KvCache;

namespace Garden.Weights;

/// <summary>Trainer → receiver or other trainer, once a connection.</summary>
/// <param name="Version">The protocol version.</param>
/// <param name="Rank">The trainer's rank.</param>
/// <param name="Target">The rank it takes the other side for.</param>
/// <param name="Terms">What both sides must agree on.</param>
/// <param name="Name">What the trainer is called in messages for people.</param>
internal readonly record struct WeightHello(byte Version, int Rank, int Target, WeightTerms Terms, string Name)
{
    private const int MostNameBytes = 200;

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[WeightMessageHeader.Length + 8 + WeightTerms.Length + 4 + System.Text.Encoding.UTF8.GetByteCount(Name)];
        KvMessageWriter writer = WeightMessageHeader.Begin(bytes, WeightMessageKind.Hello, 0);
        writer.Count(Rank);
        writer.Count(Target);
        Terms.Write(ref writer);
        writer.Text(Name);
        return bytes;
    }

    /// <summary>Parses a hello of this version, or just the version of another one.</summary>
    public static WeightHello Parse(in WeightMessageHeader header, ReadOnlySpan<byte> message)
    {
        if (header.Version != WeightMessageHeader.CurrentVersion)
            return new WeightHello(header.Version, 0, 0, default, "");
        var reader = new KvMessageReader(message[WeightMessageHeader.Length..]);
        var hello = new WeightHello(header.Version, reader.Count("the trainer's rank"), reader.Count("the rank that is meant"), WeightTerms.Read(ref reader), reader.Text("the trainer's name"));
        reader.End("A hello");
        return hello;
    }

    /// <summary>Why a rank does not take this hello; null when it does.</summary>
    /// <param name="role">What the rank that answers is: "trainer" or "inference".</param>
    /// <param name="rank">Its rank.</param>
    /// <param name="terms">Its terms.</param>
    /// <param name="trainers">Ranks of the trainer's mesh.</param>
    /// <param name="peer">Who sent the hello.</param>
    /// <param name="known">The connection of the same trainer rank so far, if there was one.</param>
    public string? Refusal(string role, int rank, in WeightTerms terms, int trainers, Peer peer, Peer? known) =>
        Version != WeightMessageHeader.CurrentVersion ? $"its protocol is version {Version}, here it is {WeightMessageHeader.CurrentVersion}"
        : Target != rank ? $"it takes {role} rank {rank} for rank {Target}"
        : terms.Differs(Terms) is { } difference ? difference
        : Rank >= trainers ? $"it calls itself trainer rank {Rank}; the mesh has {trainers}"
        // The same engine may connect again; another one that lives is a second rank of one number.
        : known is { State: PeerState.Ready } && known.EngineId != peer.EngineId ? $"trainer rank {Rank} is connected from {known.Address} already; if that one has died, try again when its heartbeats are missed"
        : null;

    /// <summary>A name that fits a hello.</summary>
    public static string RequireName(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (System.Text.Encoding.UTF8.GetByteCount(name) > MostNameBytes)
            throw new ArgumentException($"A rank's name has at most {MostNameBytes} bytes.", nameof(name));
        return name;
    }
}

/// <summary>What both sides of an update must agree on, or bytes would land in the wrong place.</summary>
/// <param name="MapHash">The shard map.</param>
/// <param name="ScheduleHash">The schedule: which rank sends what.</param>
/// <param name="Verifies">Whether hashes are sent behind the tensors.</param>
internal readonly record struct WeightTerms(ulong MapHash, ulong ScheduleHash, bool Verifies)
{
    public const int Length = 17;

    public void Write(ref KvMessageWriter writer)
    {
        writer.UInt64(MapHash);
        writer.UInt64(ScheduleHash);
        writer.Byte(Verifies ? (byte)1 : (byte)0);
    }

    public static WeightTerms Read(ref KvMessageReader reader) =>
        new(reader.UInt64("the map's hash"), reader.UInt64("the schedule's hash"), reader.Byte("the verification flag") != 0);

    /// <summary>Why a trainer with other terms is refused; null when they are the same.</summary>
    public string? Differs(in WeightTerms trainer) =>
        trainer.MapHash != MapHash ? $"its shard map is {trainer.MapHash:x16}, here it is {MapHash:x16}; build both sides from one map"
        : trainer.ScheduleHash != ScheduleHash ? $"its schedule is {trainer.ScheduleHash:x16}, here it is {ScheduleHash:x16}; give both sides the same one"
        : trainer.Verifies != Verifies ? $"it {(trainer.Verifies ? "sends" : "does not send")} hashes; set Verify on both sides or on none"
        : null;
}
