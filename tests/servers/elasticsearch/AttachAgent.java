import java.lang.instrument.Instrumentation;

/**
 * A distribution has a jar with an agent that the server attaches to itself, and Maven Central has not. All that agent does
 * is to hand its instrumentation to the class that is named in its options.
 */
public final class AttachAgent {
    public static void agentmain(String initializer, Instrumentation instrumentation) throws ReflectiveOperationException {
        Class.forName(initializer).getMethod("initialize", Instrumentation.class).invoke(null, instrumentation);
    }
}
